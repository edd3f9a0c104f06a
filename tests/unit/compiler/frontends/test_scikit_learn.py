"""scikit-learn's estimators predict the same compiled, or are refused."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from mlflow.types import DataType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from terna.compiler.compile import compile_model
from terna.errors import NotCompilable
from terna.training.prepare import build_pipeline
from tests.unit.compiler.models import (
    FEATURES,
    as_loaded,
    check,
    classes,
    customers,
    fitted,
    rows_of,
    target,
    verified,
)

pytestmark = pytest.mark.filterwarnings("ignore")

CLASSIFIERS: dict[str, Any] = {
    "forest": RandomForestClassifier(20, random_state=0),
    "forest on both cores": RandomForestClassifier(20, random_state=0, n_jobs=2),
    "extra trees": ExtraTreesClassifier(20, random_state=0),
    "one tree": DecisionTreeClassifier(max_depth=5, random_state=0),
    "tree of one leaf": DecisionTreeClassifier(max_depth=1, min_samples_leaf=149),
    "histogram boosting": HistGradientBoostingClassifier(max_iter=15, random_state=0),
}
SCALED: dict[str, Any] = {
    "boosting": GradientBoostingClassifier(n_estimators=10, random_state=0),
    "logistic": LogisticRegression(max_iter=500),
    "logistic, cross-validated": LogisticRegressionCV(
        cv=2, max_iter=500, l1_ratios=(0,), use_legacy_attributes=False
    ),
}
REGRESSORS: dict[str, Any] = {
    "forest": RandomForestRegressor(10, random_state=0),
    "extra trees": ExtraTreesRegressor(10, random_state=0),
    "one tree": DecisionTreeRegressor(max_depth=5, random_state=0),
    "boosting": GradientBoostingRegressor(n_estimators=10, random_state=0),
    "histogram boosting": HistGradientBoostingRegressor(max_iter=10, random_state=0),
    "histogram boosting of counts": HistGradientBoostingRegressor(
        loss="poisson", max_iter=10, random_state=0
    ),
    "linear": LinearRegression(),
    "ridge": Ridge(),
}


@pytest.mark.parametrize("names", [("no", "yes"), (0, 1, 2)], ids=["two", "three"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_compiled_classifier_predicts_the_same(name: str, names: tuple[Any, ...]) -> None:
    check(fitted(CLASSIFIERS[name], names=names))


@pytest.mark.parametrize("names", [(False, True), ("a", "b", "c")], ids=["two", "three"])
@pytest.mark.parametrize("name", SCALED)
def test_compiled_classifier_of_scaled_numbers_predicts_the_same(
    name: str, names: tuple[Any, ...]
) -> None:
    check(fitted(SCALED[name], scaled=True, names=names))


@pytest.mark.parametrize("name", [*CLASSIFIERS, *SCALED])
def test_model_saved_with_predict_proba_gives_probabilities(name: str) -> None:
    model = fitted((CLASSIFIERS | SCALED)[name], scaled=True)
    compiled = verified(as_loaded(model, customers(), predict_fn="predict_proba"))

    predictions = np.array(compiled.predict_rows(rows_of(customers())))

    assert predictions == pytest.approx(model.predict_proba(customers()), abs=1e-12)


@pytest.mark.parametrize("name", REGRESSORS)
def test_compiled_regressor_predicts_the_same(name: str) -> None:
    table = customers()
    model = build_pipeline(FEATURES, REGRESSORS[name], scaled=True).fit(table, target(table))
    compiled = verified(as_loaded(model, table))

    predictions = compiled.predict_rows(rows_of(customers()))

    assert predictions == pytest.approx(model.predict(customers()), rel=1e-12)


ON_SCORES: dict[str, Any] = {
    "boosting": GradientBoostingClassifier(n_estimators=9, loss="exponential", random_state=0),
    "logistic": LogisticRegression(),
    "histogram boosting": HistGradientBoostingClassifier(max_iter=9, random_state=0),
}


@pytest.mark.parametrize(
    ("name", "method"),
    [
        *product(ON_SCORES, ["auto", "predict_proba"]),
        *product(["boosting", "logistic", "histogram boosting"], ["decision_function"]),
    ],
)
def test_threshold_on_either_score_is_compiled(name: str, method: str) -> None:
    model = FixedThresholdClassifier(
        fitted(ON_SCORES[name], scaled=True), threshold=0.3, pos_label="no", response_method=method
    )
    check(model.fit(customers(), classes(customers())))


def test_tuned_threshold_is_compiled() -> None:
    tuned = TunedThresholdClassifierCV(
        fitted(RandomForestClassifier(10, random_state=0)), scoring="f1_macro", cv=2, random_state=0
    ).fit(customers(), classes(customers()))

    check(tuned)


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), GradientBoostingClassifier(n_estimators=5), LinearRegression()],
)
def test_missing_value_that_pyfunc_fails_on_needs_pyfunc(estimator: Any) -> None:
    table = customers(missing=False)[["minutes", "calls"]]
    compiled = check(estimator.fit(table, classes(table.assign(vip=False, plan=""), (0, 1))), table)

    assert compiled.predict_rows([[None, 3]]) is None
    assert compiled.predict_rows([[1.5, 3]]) is not None


def test_cell_that_pyfunc_fails_on_needs_pyfunc_even_where_no_tree_splits_on_it() -> None:
    table = customers(missing=False).assign(seldom=1.0)
    encoding = make_column_transformer(
        (OneHotEncoder(), ["city"]), ("passthrough", ["minutes", "seldom"])
    )
    tree = GradientBoostingClassifier(n_estimators=1, max_depth=1)
    compiled = check(make_pipeline(encoding, tree).fit(table, classes(table)), table)

    good = rows_of(table)[0]
    assert sum(column.slots for column in compiled.plan.columns) == 1
    assert compiled.predict_rows([good]) is not None
    assert compiled.predict_rows([[*good[:-1], None]]) is None
    assert compiled.predict_rows([[*good[:-2], "never seen", 1.0]]) is None


@pytest.mark.parametrize("kind", [DataType.float, DataType.double, DataType.integer, DataType.long])
@pytest.mark.parametrize(
    "estimator", [RandomForestClassifier(9), HistGradientBoostingClassifier(max_iter=9)]
)
def test_every_numeric_type_is_compiled(kind: DataType, estimator: Any) -> None:
    table = customers(missing=False)[["minutes", "calls"]].astype(kind.to_numpy())
    if kind in (DataType.float, DataType.double):
        table.loc[::5, "minutes"] = np.nan
    labels = classes(table.assign(vip=False, plan=""))

    check(estimator.fit(table, labels), table, types=dict.fromkeys(table.columns, kind))


def test_categorical_splits_are_refused() -> None:
    table = customers()[["plan", "calls"]].astype({"plan": "category"})
    model = HistGradientBoostingClassifier(max_iter=3).fit(table, classes(customers()))

    with pytest.raises(NotCompilable, match="categorical"):
        compile_model(as_loaded(model, table))


def test_unsupported_estimator_is_refused_with_its_name() -> None:
    table = customers(missing=False)[["minutes", "calls"]]
    model = KNeighborsClassifier().fit(table, classes(customers()))

    with pytest.raises(NotCompilable, match="KNeighbors"):
        compile_model(as_loaded(model, table))

"""What else people train with scikit-learn, XGBoost and LightGBM, compiled or refused."""

import importlib
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.types import DataType
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
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
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from terna.compiler.compile import compile_model
from terna.errors import NotCompilable
from terna.training.prepare import build_pipeline
from tests.unit.compiler.models import (
    FEATURES,
    Compiled,
    as_loaded,
    classes,
    customers,
    fitted,
    rows_of,
    served,
    worth,
)

pytestmark = pytest.mark.filterwarnings("ignore")
NUMBERS = ["minutes", "calls", "vip"]
TEXTS = ["plan", "city"]
CALIBRATED = RandomForestClassifier(10, random_state=0)

CLASSIFIERS: dict[str, Any] = {
    "forest": RandomForestClassifier(20, random_state=0),
    "forest on both cores": RandomForestClassifier(20, random_state=0, n_jobs=2),
    "extra trees": ExtraTreesClassifier(20, random_state=0),
    "one tree": DecisionTreeClassifier(max_depth=5, random_state=0),
    "tree of one leaf": DecisionTreeClassifier(max_depth=1, min_samples_leaf=149),
    "histogram boosting": HistGradientBoostingClassifier(max_iter=15, random_state=0),
    "calibrated forest": CalibratedClassifierCV(CALIBRATED, cv=3),
    "isotonic forest": CalibratedClassifierCV(CALIBRATED, cv=3, method="isotonic"),
    "calibrated boosting": CalibratedClassifierCV(
        HistGradientBoostingClassifier(max_iter=5, random_state=0), cv=2
    ),
}
SCALED: dict[str, Any] = {
    "boosting": GradientBoostingClassifier(n_estimators=10, random_state=0),
    "logistic": LogisticRegression(max_iter=500),
    "logistic, cross-validated": LogisticRegressionCV(
        cv=2, max_iter=500, l1_ratios=(0,), use_legacy_attributes=False
    ),
    "calibrated logistic": CalibratedClassifierCV(LogisticRegression(max_iter=500), cv=2),
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


def check(model: Any, table: pd.DataFrame | None = None, **how: Any) -> Compiled:
    """Compile, let `agreement` accept it, and compare every row, many and alone."""
    table = customers() if table is None else table
    made = Compiled.of(as_loaded(model, table, **how), table)
    rows = rows_of(table)
    assert made.program.predict_rows(rows) == served(made.model, rows)
    for row in rows[:20]:
        assert made.program.predict_rows([row]) in (alone(made.model, row), None)
    return made


def alone(model: Any, row: list[Any]) -> list[Any] | None:
    """None where the original fails: MLflow makes None, and not NaN, of a null text alone."""
    try:
        return served(model, [row])
    except Exception:
        return None


@pytest.mark.parametrize("names", [("no", "yes"), (0, 1, 2)], ids=["two", "three"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers(name: str, names: tuple[Any, ...]) -> None:
    check(fitted(CLASSIFIERS[name], names=names))


@pytest.mark.parametrize("names", [(False, True), ("a", "b", "c")], ids=["two", "three"])
@pytest.mark.parametrize("name", SCALED)
def test_classifiers_of_scaled_numbers(name: str, names: tuple[Any, ...]) -> None:
    check(fitted(SCALED[name], scaled=True, names=names))


@pytest.mark.parametrize("name", [*CLASSIFIERS, *SCALED])
def test_probabilities_when_the_model_was_saved_to_give_them(name: str) -> None:
    model = fitted((CLASSIFIERS | SCALED)[name], scaled=True)
    made = Compiled.of(as_loaded(model, customers(), predict_fn="predict_proba"))

    answers = np.array(made.program.predict_rows(rows_of(customers())))

    assert answers == pytest.approx(model.predict_proba(customers()), abs=1e-12)


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(name: str) -> None:
    model = build_pipeline(FEATURES, REGRESSORS[name], scaled=True).fit(
        customers(), worth(customers())
    )
    made = Compiled.of(as_loaded(model, customers()))

    answers = made.program.predict_rows(rows_of(customers()))

    assert answers == pytest.approx(model.predict(customers()), rel=1e-12)


ON_SCORES: dict[str, Any] = {
    "boosting": GradientBoostingClassifier(n_estimators=9, loss="exponential", random_state=0),
    "logistic": LogisticRegression(),
    "histogram boosting": HistGradientBoostingClassifier(max_iter=9, random_state=0),
    "calibrated forest": CalibratedClassifierCV(CALIBRATED, cv=3),
}


@pytest.mark.parametrize(
    ("name", "method"),
    [
        *product(ON_SCORES, ["auto", "predict_proba"]),
        *product(["boosting", "logistic", "histogram boosting"], ["decision_function"]),
    ],
)
def test_a_threshold_on_either_score(name: str, method: str) -> None:
    model = FixedThresholdClassifier(
        fitted(ON_SCORES[name], scaled=True), threshold=0.3, pos_label="no", response_method=method
    )
    check(model.fit(customers(), classes(customers())))


def test_a_threshold_that_scikit_learn_tuned() -> None:
    tuned = TunedThresholdClassifierCV(
        fitted(CALIBRATED), scoring="f1_macro", cv=2, random_state=0
    ).fit(customers(), classes(customers()))

    check(tuned)


def selected(*parts: Any, remainder: Any = "drop") -> ColumnTransformer:
    return ColumnTransformer([(str(i), *p) for i, p in enumerate(parts)], remainder=remainder)


ENCODINGS: dict[str, Callable[[], Any]] = {
    "columns passed through by name": lambda: selected(("passthrough", NUMBERS)),
    "columns by position": lambda: selected(("passthrough", [0, 2])),
    "columns by kind": lambda: selected(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), TEXTS),
        ("passthrough", make_column_selector(dtype_include="number")),
    ),
    "the remainder too": lambda: selected(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False, drop="first"), ["plan"]),
        ("drop", ["city"]),
        remainder="passthrough",
    ),
    "unknown categories fail": lambda: selected(
        (OneHotEncoder(handle_unknown="error", sparse_output=False), ["plan"]),
        ("passthrough", NUMBERS),
    ),
    "rare categories together": lambda: selected(
        (
            OneHotEncoder(
                handle_unknown="infrequent_if_exist", sparse_output=False, min_frequency=9
            ),
            TEXTS,
        ),
        ("passthrough", NUMBERS),
    ),
    "an order with gaps": lambda: selected(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), TEXTS),
        ("passthrough", NUMBERS),
    ),
    "the commonest text for a missing one": lambda: selected(
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"),
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            ),
            TEXTS,
        ),
        ("passthrough", NUMBERS),
    ),
    "numbers as categories": lambda: selected(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["calls", "vip"]),
        ("passthrough", ["minutes"]),
    ),
    "scalers, one after another": lambda: selected(
        (make_pipeline(SimpleImputer(), MinMaxScaler(), StandardScaler()), ["minutes"]),
        (make_pipeline(RobustScaler(), MaxAbsScaler()), ["calls"]),
        (make_pipeline(OrdinalEncoder(), StandardScaler()), ["vip"]),
    ),
    "a scaler that keeps gaps": lambda: selected((StandardScaler(), NUMBERS)),
    "pipelines within pipelines": lambda: make_pipeline(
        selected(
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["plan"]),
            remainder=selected((SimpleImputer(), [0]), remainder="drop"),
        ),
        FunctionTransformer(),
        selected(("passthrough", [0, 1, 4])),
    ),
    "a union": lambda: make_pipeline(
        selected((SimpleImputer(), NUMBERS)),
        FeatureUnion([("as it is", "passthrough"), ("scaled", StandardScaler())]),
    ),
}


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize(
    "estimator",
    [RandomForestClassifier(10, random_state=0), HistGradientBoostingClassifier(max_iter=9)],
)
def test_encodings(name: str, estimator: Any) -> None:
    model = make_pipeline(ENCODINGS[name](), estimator)

    check(model.fit(customers(), classes(customers())))


def test_a_missing_number_in_a_sparse_matrix_is_left_to_the_original() -> None:
    encoding = selected((OneHotEncoder(handle_unknown="ignore"), TEXTS), ("passthrough", NUMBERS))
    table = customers(missing=False)
    model = make_pipeline(encoding, RandomForestClassifier(5)).fit(table, classes(table))
    assert model[0].sparse_output_
    program = check(model, table).program

    assert program.predict_rows([[None, "basic", 3, True, "city 1"]]) is None
    assert program.predict_rows([[1.5, "basic", 3, True, "city 1"]]) is not None


def test_what_the_encoder_does_not_know_is_left_to_the_original() -> None:
    encoding = ENCODINGS["unknown categories fail"]()
    model = make_pipeline(encoding, RandomForestClassifier(5)).fit(
        customers(), classes(customers())
    )
    program = check(model).program

    assert program.predict_rows([[1.5, "never seen", 3, True, "city 1"]]) is None


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), GradientBoostingClassifier(n_estimators=5), LinearRegression()],
)
def test_a_missing_value_that_the_original_fails_on_is_left_to_it(estimator: Any) -> None:
    table = customers(missing=False)[["minutes", "calls"]]
    program = check(
        estimator.fit(table, classes(table.assign(vip=False, plan=""), (0, 1))), table
    ).program

    assert program.predict_rows([[None, 3]]) is None
    assert program.predict_rows([[1.5, 3]]) is not None


def test_what_the_original_fails_on_is_left_to_it_even_where_no_tree_looks() -> None:
    table = customers(missing=False).assign(seldom=1.0)
    encoding = selected((OneHotEncoder(), ["city"]), ("passthrough", ["minutes", "seldom"]))
    tree = GradientBoostingClassifier(n_estimators=1, max_depth=1)
    program = check(make_pipeline(encoding, tree).fit(table, classes(table)), table).program

    good = rows_of(table)[0]
    assert sum(column.slots for column in program.plan.columns) == 1
    assert program.predict_rows([good]) is not None
    assert program.predict_rows([[*good[:-1], None]]) is None
    assert program.predict_rows([[*good[:-2], "never seen", 1.0]]) is None


@pytest.mark.parametrize("kind", [DataType.float, DataType.double, DataType.integer, DataType.long])
@pytest.mark.parametrize(
    "estimator", [RandomForestClassifier(9), HistGradientBoostingClassifier(max_iter=9)]
)
def test_every_type_of_number(kind: DataType, estimator: Any) -> None:
    table = customers(missing=False)[["minutes", "calls"]].astype(kind.to_numpy())
    if kind in (DataType.float, DataType.double):
        table.loc[::5, "minutes"] = np.nan
    labels = classes(table.assign(vip=False, plan=""))

    check(estimator.fit(table, labels), table, types=dict.fromkeys(table.columns, kind))


def boosted(library: str, name: str, **how: Any) -> Any:
    try:
        module = importlib.import_module(library)
    except (ImportError, OSError) as error:
        pytest.skip(f"{library} cannot be imported here: {error}")
    quiet = {"verbose": -1} if library == "lightgbm" else {}
    return getattr(module, name)(n_estimators=15, n_jobs=1, **quiet, **how)


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize(
    ("library", "name"), [("xgboost", "XGBClassifier"), ("lightgbm", "LGBMClassifier")]
)
@pytest.mark.parametrize("piped", [True, False])
def test_boosted_classifiers(library: str, name: str, count: int, piped: bool) -> None:
    names = tuple(range(count))
    if piped:
        check(fitted(boosted(library, name), names=names))
        return
    table = customers()[["minutes", "calls", "vip"]]
    made = boosted(library, name).fit(table, classes(customers(), names))
    check(made, table, wrapper=wrapper(library))


@pytest.mark.parametrize(
    ("library", "name", "objective"),
    [
        ("xgboost", "XGBRegressor", "reg:squarederror"),
        ("xgboost", "XGBRegressor", "count:poisson"),
        ("lightgbm", "LGBMRegressor", "regression"),
        ("lightgbm", "LGBMRegressor", "poisson"),
    ],
)
def test_boosted_regressors(library: str, name: str, objective: str) -> None:
    table = customers()[["minutes", "calls", "vip"]]
    model = boosted(library, name, objective=objective).fit(table, abs(worth(customers())))
    made = Compiled.of(as_loaded(model, table, wrapper=wrapper(library)), table)

    answers = made.program.predict_rows(rows_of(table))

    assert answers == pytest.approx(model.predict(table), rel=1e-6)
    if objective in ("reg:squarederror", "regression"):
        assert answers == model.predict(table).tolist()


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(
    ("library", "name"), [("xgboost", "XGBClassifier"), ("lightgbm", "LGBMClassifier")]
)
def test_boosters_without_their_wrapper_give_probabilities(
    library: str, name: str, count: int
) -> None:
    table = customers()[["minutes", "calls", "vip"]]
    model = boosted(library, name).fit(table, classes(customers(), tuple(range(count))))
    booster = model.get_booster() if library == "xgboost" else model.booster_
    loaded = as_loaded(booster, table, wrapper=wrapper(library))

    answers = Compiled.of(loaded, table).program.predict_rows(rows_of(table))

    assert np.array(answers) == pytest.approx(np.asarray(loaded.predict(table)), abs=1e-6)
    assert np.array(answers).shape == np.asarray(loaded.predict(table)).shape


def wrapper(library: str) -> Any:
    name = {"xgboost": "_XGBModelWrapper", "lightgbm": "_LGBModelWrapper"}[library]
    return getattr(importlib.import_module(f"mlflow.{library}"), name)


def test_training_that_stopped_early_is_compiled_up_to_its_best_round() -> None:
    table = customers()[["minutes", "calls", "vip"]]
    labels = np.random.default_rng(1).integers(0, 2, len(table))
    model = boosted("xgboost", "XGBClassifier", early_stopping_rounds=2)
    model.fit(table[:200], labels[:200], eval_set=[(table[200:], labels[200:])], verbose=False)
    assert model.best_iteration < 14

    check(model, table, wrapper=wrapper("xgboost"))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: make_pipeline(ENCODINGS["a union"](), KNeighborsClassifier()), "KNeighbors"),
        (lambda: make_pipeline(ENCODINGS["a union"](), PCA(), LogisticRegression()), "PCA"),
        (
            lambda: make_pipeline(
                selected((FunctionTransformer(np.abs), ["calls"])), LogisticRegression()
            ),
            "FunctionTransformer with a function",
        ),
        (
            lambda: make_pipeline(
                selected((SimpleImputer(add_indicator=True), NUMBERS)), LogisticRegression()
            ),
            "indicator",
        ),
        (
            lambda: make_pipeline(
                selected((OneHotEncoder(), ["vip"]), ("passthrough", ["vip"])),
                RandomForestClassifier(9),
            ),
            "both as a number and by category",
        ),
    ],
)
def test_what_is_not_known_here_is_refused_with_a_reason(make: Callable[[], Any], why: str) -> None:
    model = make().fit(customers(), classes(customers()))

    with pytest.raises(NotCompilable, match=why):
        compile_model(as_loaded(model, customers()))


def test_categories_that_reach_the_trees_themselves_are_refused() -> None:
    table = customers()[["plan", "calls"]].astype({"plan": "category"})
    model = HistGradientBoostingClassifier(max_iter=3).fit(table, classes(customers()))

    with pytest.raises(NotCompilable, match="categorical"):
        compile_model(as_loaded(model, table))

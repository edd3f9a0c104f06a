"""XGBoost's models predict the same compiled."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.xgboost import _XGBModelWrapper

from terna.compiler.compile import compile_model
from terna.errors import NotCompilable
from tests.unit.compiler.models import (
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
NUMBERS = ["minutes", "calls", "vip"]


@pytest.fixture
def xgboost() -> Any:
    """The library; its system libraries may be missing."""
    try:
        import xgboost
    except (ImportError, OSError) as error:
        pytest.skip(f"xgboost cannot be imported here: {error}")
    return xgboost


def numbers() -> pd.DataFrame:
    return customers()[NUMBERS]


@pytest.mark.parametrize("count", [2, 4])
def test_compiled_classifier_in_a_pipeline_predicts_the_same(xgboost: Any, count: int) -> None:
    estimator = xgboost.XGBClassifier(n_estimators=15, n_jobs=1)

    check(fitted(estimator, names=tuple(range(count))))


@pytest.mark.parametrize("count", [2, 4])
def test_compiled_classifier_of_mlflows_flavor_predicts_the_same(xgboost: Any, count: int) -> None:
    estimator = xgboost.XGBClassifier(n_estimators=15, n_jobs=1)

    check(
        estimator.fit(numbers(), classes(customers(), tuple(range(count)))),
        numbers(),
        wrapper=_XGBModelWrapper,
    )


@pytest.mark.parametrize("objective", ["reg:squarederror", "count:poisson"])
def test_compiled_regressor_predicts_the_same(xgboost: Any, objective: str) -> None:
    estimator = xgboost.XGBRegressor(n_estimators=15, n_jobs=1, objective=objective)
    model = estimator.fit(numbers(), abs(target(customers())))
    compiled = verified(as_loaded(model, numbers(), wrapper=_XGBModelWrapper), numbers())

    predictions = compiled.predict_rows(rows_of(numbers()))

    assert predictions == model.predict(numbers()).tolist()


@pytest.mark.parametrize("count", [2, 3])
def test_compiled_booster_gives_probabilities(xgboost: Any, count: int) -> None:
    estimator = xgboost.XGBClassifier(n_estimators=15, n_jobs=1)
    model = estimator.fit(numbers(), classes(customers(), tuple(range(count))))
    loaded = as_loaded(model.get_booster(), numbers(), wrapper=_XGBModelWrapper)

    predictions = verified(loaded, numbers()).predict_rows(rows_of(numbers()))

    assert predictions == np.asarray(loaded.predict(numbers())).tolist()


def test_model_that_stopped_early_is_compiled_up_to_its_best_round(xgboost: Any) -> None:
    labels = np.random.default_rng(1).integers(0, 2, len(numbers()))
    model = xgboost.XGBClassifier(n_estimators=15, n_jobs=1, early_stopping_rounds=2)
    held_out = (numbers()[200:], labels[200:])
    model.fit(numbers()[:200], labels[:200], eval_set=[held_out], verbose=False)
    assert model.best_iteration < 14

    check(model, numbers(), wrapper=_XGBModelWrapper)


def test_linear_booster_is_refused(xgboost: Any) -> None:
    model = xgboost.XGBRegressor(n_estimators=3, n_jobs=1, booster="gblinear")
    loaded = as_loaded(
        model.fit(numbers().fillna(0), target(customers())), numbers(), wrapper=_XGBModelWrapper
    )

    with pytest.raises(NotCompilable, match="gblinear"):
        compile_model(loaded)

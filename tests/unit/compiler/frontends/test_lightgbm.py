"""LightGBM's models predict the same compiled."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.lightgbm import _LGBModelWrapper

from terna.compiler.compile import compile_model
from terna.errors import NotCompilable
from tests.unit.compiler.models import (
    as_loaded,
    check,
    classes,
    customers,
    fitted,
    predict,
    rows_of,
    target,
    verified,
)

pytestmark = pytest.mark.filterwarnings("ignore")
NUMBERS = ["minutes", "calls", "vip"]


@pytest.fixture
def lightgbm() -> Any:
    """The library; its system libraries may be missing."""
    try:
        import lightgbm
    except (ImportError, OSError) as error:
        pytest.skip(f"lightgbm cannot be imported here: {error}")
    return lightgbm


def numbers() -> pd.DataFrame:
    return customers()[NUMBERS]


@pytest.mark.parametrize("count", [2, 4])
def test_compiled_classifier_in_a_pipeline_predicts_the_same(lightgbm: Any, count: int) -> None:
    estimator = lightgbm.LGBMClassifier(n_estimators=15, n_jobs=1, verbose=-1)

    check(fitted(estimator, names=tuple(range(count))))


@pytest.mark.parametrize("count", [2, 4])
def test_compiled_classifier_of_mlflows_flavor_predicts_the_same(lightgbm: Any, count: int) -> None:
    estimator = lightgbm.LGBMClassifier(n_estimators=15, n_jobs=1, verbose=-1)

    check(
        estimator.fit(numbers(), classes(customers(), tuple(range(count)))),
        numbers(),
        wrapper=_LGBModelWrapper,
    )


def test_cells_that_lightgbm_takes_for_zero_go_where_zero_goes(lightgbm: Any) -> None:
    table = pd.DataFrame({"x": [-1.0, 0.0, 1.0] * 30})
    model = lightgbm.LGBMRegressor(n_estimators=3, n_jobs=1, verbose=-1)
    loaded = as_loaded(model.fit(table, table["x"] + 7), table, wrapper=_LGBModelWrapper)
    zero = float(np.float32(1e-35))
    near = [sign * x for sign in (-1, 1) for x in (1e-36, zero, float(np.nextafter(zero, 1)))]

    predictions = compile_model(loaded).predict_rows([[cell] for cell in near])

    assert predictions == predict(loaded, [[cell] for cell in near])
    assert len(set(predictions)) == 3


@pytest.mark.parametrize("objective", ["regression", "poisson"])
def test_compiled_regressor_predicts_the_same(lightgbm: Any, objective: str) -> None:
    estimator = lightgbm.LGBMRegressor(n_estimators=15, n_jobs=1, objective=objective, verbose=-1)
    model = estimator.fit(numbers(), abs(target(customers())))
    compiled = verified(as_loaded(model, numbers(), wrapper=_LGBModelWrapper), numbers())

    predictions = compiled.predict_rows(rows_of(numbers()))

    assert predictions == model.predict(numbers()).tolist()


@pytest.mark.parametrize("count", [2, 3])
def test_compiled_booster_gives_probabilities(lightgbm: Any, count: int) -> None:
    estimator = lightgbm.LGBMClassifier(n_estimators=15, n_jobs=1, verbose=-1)
    model = estimator.fit(numbers(), classes(customers(), tuple(range(count))))
    loaded = as_loaded(model.booster_, numbers(), wrapper=_LGBModelWrapper)

    predictions = verified(loaded, numbers()).predict_rows(rows_of(numbers()))

    assert predictions == np.asarray(loaded.predict(numbers())).tolist()


def test_random_forest_is_refused(lightgbm: Any) -> None:
    model = lightgbm.LGBMRegressor(
        n_estimators=3, boosting_type="rf", bagging_freq=1, bagging_fraction=0.5, verbose=-1
    )
    loaded = as_loaded(
        model.fit(numbers(), target(customers())), numbers(), wrapper=_LGBModelWrapper
    )

    with pytest.raises(NotCompilable, match="random forests"):
        compile_model(loaded)

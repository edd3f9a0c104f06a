"""Models as MLflow loads them, over one table of customers."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import Model
from mlflow.models.signature import ModelSignature
from mlflow.pyfunc import PyFuncModel
from mlflow.sklearn import _SklearnModelWrapper
from mlflow.types import ColSpec, DataType, Schema
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import FixedThresholdClassifier

from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.verification.verification import compile_verified
from terna.predictor.pyfunc_model import PyfuncModel
from terna.training.prepare import build_pipeline, choose_features

COLUMNS = ("minutes", "plan", "calls", "vip", "city")
TYPES = {
    "minutes": DataType.double,
    "plan": DataType.string,
    "calls": DataType.long,
    "vip": DataType.boolean,
    "city": DataType.string,
}
PLANS = ("basic", "extra", "größer")


def customers(count: int = 300, missing: bool = True) -> pd.DataFrame:
    """Return raw features as training has them; more cities than the encoder keeps apart."""
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "minutes": random.normal(100, 30, count),
            "plan": random.choice(PLANS, count),
            "calls": random.integers(0, 9, count),
            "vip": random.random(count) < 0.3,
            "city": [f"city {i}" for i in random.geometric(0.05, count)],
        }
    )
    if missing:
        table.loc[::7, "minutes"] = np.nan
        table.loc[::11, "plan"] = None
    return table.astype({"plan": "str", "city": "str"})


FEATURES = choose_features(customers())


def target(table: pd.DataFrame) -> NDArray[Any]:
    """Return a number to learn for each customer."""
    plan = table["plan"].map({"basic": 0.0, "extra": 40.0}).fillna(15)
    return np.asarray(table["minutes"].fillna(80) + 10 * table["calls"] + 40 * table["vip"] + plan)


def classes(table: pd.DataFrame, names: Sequence[Any] = ("no", "yes")) -> NDArray[Any]:
    """Return as many classes as names, by `target`."""
    edges = np.quantile(target(table), np.linspace(0, 1, len(names) + 1)[1:-1])
    return np.asarray(names, dtype=object if len({*map(type, names)}) > 1 else None)[
        np.searchsorted(edges, target(table))
    ]


def rows_of(table: pd.DataFrame) -> list[list[Any]]:
    """Return a table's rows as a client sends them."""
    return table.astype(object).where(table.notna(), None).to_numpy().tolist()


def predict(model: PyFuncModel, rows: list[list[Any]]) -> list[Any]:
    """Return what the pyfunc model predicts for these rows, asked as clients ask it."""
    return PyfuncModel(model).predict_rows(rows)


def as_loaded(
    model: Any,
    table: pd.DataFrame,
    types: dict[str, DataType] = TYPES,
    predict_fn: str = "predict",
    wrapper: Any = _SklearnModelWrapper,
) -> PyFuncModel:
    """Return the model as MLflow's `load_model` does."""
    inputs = Schema([ColSpec(types.get(str(c), DataType.double), str(c)) for c in table.columns])
    meta = Model(signature=ModelSignature(inputs))
    meta.add_flavor("python_function", loader_module="none", predict_fn=predict_fn)
    return PyFuncModel(meta, wrapper(model), predict_fn)


def fitted(
    estimator: BaseEstimator, scaled: bool = False, names: Sequence[Any] = ("no", "yes")
) -> BaseEstimator:
    """Fit a pipeline as `terna train` does, without its threshold."""
    table = customers()
    return build_pipeline(FEATURES, estimator, scaled).fit(table, classes(table, names))


def with_threshold(
    threshold: float, model: BaseEstimator, positive: Any = "yes"
) -> FixedThresholdClassifier:
    """Give a model a threshold, as `terna train` publishes two classes."""
    table = customers()
    classifier = FixedThresholdClassifier(
        model, threshold=threshold, pos_label=positive, response_method="predict_proba"
    )
    return classifier.fit(table, classes(table))


def verified(model: PyFuncModel, table: pd.DataFrame | None = None) -> CompiledModel:
    """Compile a model and verify the result.

    Raises:
        NotCompilable: the two differ.
    """
    rows = rows_of(customers(60) if table is None else table[:60])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an encoder says which categories it does not know
        return compile_verified(model, PyfuncModel(model), rows)[0]


def check(model: Any, table: pd.DataFrame | None = None, **how: Any) -> CompiledModel:
    """Compile and verify a fitted model, and compare every row, many and alone."""
    table = customers() if table is None else table
    loaded = as_loaded(model, table, **how)
    compiled = verified(loaded, table)
    rows = rows_of(table)
    assert compiled.predict_rows(rows) == predict(loaded, rows)
    if compiled.classes is not None:
        assert compiled.classes == model.classes_.tolist()
        assert compiled.predict_proba_rows(rows) == PyfuncModel(loaded).scores(rows).tolist()
    for row in rows[:20]:
        assert compiled.predict_rows([row]) in (_predict_alone(loaded, row), None)
    return compiled


def _predict_alone(model: PyFuncModel, row: list[Any]) -> list[Any] | None:
    """None where the pyfunc model fails: MLflow makes None, and not NaN, of a null text alone."""
    try:
        return predict(model, [row])
    except Exception:
        return None

"""Models as MLflow loads them, over one table of customers."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import Model
from mlflow.models.signature import ModelSignature
from mlflow.pyfunc import PyFuncModel
from mlflow.sklearn import _SklearnModelWrapper
from mlflow.types import ColSpec, DataType, Schema
from mlflow.utils.proto_json_utils import dataframe_from_parsed_json
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import FixedThresholdClassifier

from terna.compiler.compile import compile_model
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.verification import verification
from terna.predictor.inputs import restore_text_type, text_columns
from terna.training.prepare import Features, build_pipeline

COLUMNS = ("minutes", "plan", "calls", "vip", "city")
FEATURES = Features(("minutes", "calls", "vip"), ("plan", "city"), COLUMNS)
TYPES = {
    "minutes": DataType.double,
    "plan": DataType.string,
    "calls": DataType.long,
    "vip": DataType.boolean,
    "city": DataType.string,
}
PLANS = ("basic", "extra", "größer")


def customers(count: int = 300, missing: bool = True) -> pd.DataFrame:
    """Raw features as training has them; more cities than the encoder keeps apart."""
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


def worth(table: pd.DataFrame) -> NDArray[Any]:
    """A number to learn."""
    plan = table["plan"].map({"basic": 0.0, "extra": 40.0}).fillna(15)
    return np.asarray(table["minutes"].fillna(80) + 10 * table["calls"] + 40 * table["vip"] + plan)


def classes(table: pd.DataFrame, names: Sequence[Any] = ("no", "yes")) -> NDArray[Any]:
    """As many classes as names, by `worth`."""
    edges = np.quantile(worth(table), np.linspace(0, 1, len(names) + 1)[1:-1])
    return np.asarray(names, dtype=object if len({*map(type, names)}) > 1 else None)[
        np.searchsorted(edges, worth(table))
    ]


def rows_of(table: pd.DataFrame) -> list[list[Any]]:
    """As a client sends them."""
    return table.astype(object).where(table.notna(), None).to_numpy().tolist()


def served(model: PyFuncModel, rows: list[list[Any]]) -> list[Any]:
    """What the original answers these rows, asked as clients ask it."""
    schema = model.metadata.get_input_schema()
    document = {"columns": schema.input_names(), "data": rows}
    frame = dataframe_from_parsed_json(document, "split", schema)
    restore_text_type(frame, text_columns(schema))
    return list(np.asarray(model.predict(frame)).tolist())


def as_loaded(
    model: Any,
    table: pd.DataFrame,
    types: dict[str, DataType] = TYPES,
    predict_fn: str = "predict",
    wrapper: Any = _SklearnModelWrapper,
) -> PyFuncModel:
    """The model as MLflow's `load_model` gives it."""
    inputs = Schema([ColSpec(types.get(str(c), DataType.double), str(c)) for c in table.columns])
    meta = Model(signature=ModelSignature(inputs))
    meta.add_flavor("python_function", loader_module="none", predict_fn=predict_fn)
    return PyFuncModel(meta, wrapper(model), predict_fn)


def fitted(
    estimator: BaseEstimator, scaled: bool = False, names: Sequence[Any] = ("no", "yes")
) -> BaseEstimator:
    """As `terna train` fits it, without its threshold."""
    table = customers()
    return build_pipeline(FEATURES, estimator, scaled).fit(table, classes(table, names))


def at(threshold: float, model: BaseEstimator, positive: Any = "yes") -> FixedThresholdClassifier:
    """As `terna train` publishes two classes."""
    table = customers()
    with_threshold = FixedThresholdClassifier(
        model, threshold=threshold, pos_label=positive, response_method="predict_proba"
    )
    return with_threshold.fit(table, classes(table))


@dataclass(frozen=True)
class Compiled:
    """A model and the program that was accepted for it."""

    model: PyFuncModel
    program: CompiledModel

    @classmethod
    def of(cls, model: PyFuncModel, table: pd.DataFrame | None = None) -> "Compiled":
        rows = rows_of(customers(60) if table is None else table[:60])
        program = compile_model(model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an encoder says which categories it does not know
            verification.check(program, model, rows)
        return cls(model, program)

"""Models in Python, their code in `code`: dates, nested schemas, type hints, kinds of answers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.models.signature import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import Array, Map, Object, Property

from tests.integration.differential.models.model import Model, columns, save_code
from tests.integration.differential.models.tables import SAMPLE, customers

PLANS = pd.DataFrame(
    {
        "since": pd.date_range("2024-02-28T23:59:59.5", periods=6, freq="13h"),
        "until": pd.to_datetime(["2026-11-21", "1970-01-01", "2100-12-31"] * 2),
        "amount": np.linspace(-1, 1e6, 6),
    }
)
WIDTHS = pd.DataFrame(
    {
        "truth": [True, False, True],
        "short": np.array([1, -(2**31), 2**31 - 1], dtype="int32"),
        "whole": np.array([1, -(2**53), 2**53]),
        "single": np.array([0.1, -1.5, 3e38], dtype="float32"),
        "number": [0.1, -1e308, 5e-324],
        "text": pd.Series(["a", "", "客"], dtype="str"),
    }
)
FEW_CUSTOMERS = customers()[:SAMPLE].drop(columns=["city"]).dropna()

OUTPUTS = ModelSignature(
    Schema(
        [
            ColSpec(DataType.string, "text"),
            ColSpec(DataType.double, "number", required=False),
            ColSpec(DataType.datetime, "when", required=False),
            ColSpec(DataType.long, "whole", required=False),
            ColSpec(DataType.boolean, "truth", required=False),
            ColSpec(DataType.binary, "raw", required=False),
        ]
    ),
    params=ParamSchema(
        [
            ParamSpec("kind", DataType.string, "columns"),
            ParamSpec("times", DataType.long, 1),
            ParamSpec("share", DataType.double, 0.5),
            ParamSpec("day", DataType.datetime, np.datetime64("2026-11-21")),
            ParamSpec("names", DataType.string, ["a"], (-1,)),
        ]
    ),
)
TENSORS = Schema(
    [
        TensorSpec(np.dtype("float64"), (-1, 2), "points"),
        TensorSpec(np.dtype("int64"), (-1,), "weight"),
    ]
)
IMAGES = Schema([TensorSpec(np.dtype("uint8"), (-1, 2, 3, 3))])
TEXTS = Schema([TensorSpec(np.dtype("str"), (-1,))])
OPTIONAL = Schema(
    [
        ColSpec(DataType.boolean, "truth", required=False),
        ColSpec(DataType.integer, "short", required=False),
        ColSpec(DataType.long, "whole", required=False),
        ColSpec(DataType.float, "single", required=False),
        ColSpec(DataType.double, "number", required=False),
        ColSpec(DataType.string, "text", required=False),
        ColSpec(DataType.binary, "raw", required=False),
        ColSpec(DataType.datetime, "when", required=False),
    ]
)
ONLY_PARAMS = ModelSignature(params=ParamSchema([ParamSpec("times", DataType.long, 1)]))
NESTED = Schema(
    [
        ColSpec(DataType.string, "name"),
        ColSpec(Array(DataType.double), "history"),
        ColSpec(
            Object(
                [
                    Property("city", DataType.string),
                    Property("number", DataType.long, required=False),
                    Property("tags", Array(DataType.string), required=False),
                ]
            ),
            "address",
        ),
        ColSpec(Map(DataType.double), "usage", required=False),
        ColSpec(
            Array(Object([Property("item", DataType.string), Property("count", DataType.long)])),
            "orders",
            required=False,
        ),
    ]
)
EXPLAINED = ModelSignature(
    columns(FEW_CUSTOMERS),
    Schema(
        [
            ColSpec(DataType.string, "label"),
            ColSpec(DataType.double, "probability"),
            ColSpec(Array(Object([Property("column", DataType.string)])), "reasons"),
        ]
    ),
)


def code(name: str, schema: Schema | ModelSignature | None = None) -> Callable[[Path], None]:
    """Return what saves the model in one file of `code`."""
    signature = ModelSignature(schema) if isinstance(schema, Schema) else schema

    def save(folder: Path) -> None:
        save_code(folder, name, signature)

    return save


MODELS = {
    "outputs": Model(code("outputs", OUTPUTS)),
    "tensors": Model(code("tensors", TENSORS)),
    "images": Model(code("images", IMAGES)),
    "texts": Model(code("anything", TEXTS)),
    "optional": Model(code("widths", OPTIONAL)),
    "only_params": Model(code("anything", ONLY_PARAMS)),
    "chat": Model(code("chat")),
    "words": Model(code("words", Schema([ColSpec(DataType.string, "text")]))),
    "anything": Model(code("anything")),
    "dates": Model(code("dates", columns(PLANS)), PLANS),
    "widths": Model(code("widths", columns(WIDTHS)), WIDTHS),
    "nested": Model(code("nested", NESTED)),
    "explained": Model(code("explained", EXPLAINED), FEW_CUSTOMERS),
    "hinted": Model(code("hinted")),
    "hinted_records": Model(code("hinted_records")),
    "hinted_customers": Model(code("hinted_customers")),
    "hinted_anything": Model(code("hinted_anything")),
    "hinted_frame": Model(code("hinted_frame", columns(FEW_CUSTOMERS)), FEW_CUSTOMERS),
}

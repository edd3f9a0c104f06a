"""What one model of the comparison is, and how it is saved."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import mlflow.sklearn
import pandas as pd
from mlflow.models.signature import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

CODE = Path(__file__).parents[1] / "code"

NO_REQUIREMENTS: list[str] = []
"""The model is served by the Python that made it."""


@dataclass(frozen=True)
class Model:
    """A model that both servers get."""

    save: Callable[[Path], None]
    """Fits it and saves it as MLflow does."""
    rows: pd.DataFrame | None = None
    """Rows that it takes, with the schema's column names and types; the corpus is made of them."""
    compiled: bool = False
    """Whether Terna compiles it, and then has to give the same responses twice."""


TYPES = {
    "float64": DataType.double,
    "float32": DataType.float,
    "int64": DataType.long,
    "int32": DataType.integer,
    "bool": DataType.boolean,
    "str": DataType.string,
    "datetime64[ns]": DataType.datetime,
    "datetime64[us]": DataType.datetime,
}


def columns(table: pd.DataFrame) -> Schema:
    """Return the schema of a table, each column required."""
    return Schema([ColSpec(TYPES[str(table[name].dtype)], str(name)) for name in table.columns])


def options(folder: Path, schema: Schema | None) -> dict[str, Any]:
    """Return the arguments that each flavor's `save_model` takes."""
    signature = ModelSignature(schema) if schema else None
    return {"path": str(folder), "signature": signature, "pip_requirements": NO_REQUIREMENTS}


def save_sklearn(folder: Path, model: Any, schema: Schema | None, **more: Any) -> None:
    """Save a model of scikit-learn."""
    mlflow.sklearn.save_model(
        model, **options(folder, schema), serialization_format="cloudpickle", **more
    )


def save_code(folder: Path, name: str, signature: ModelSignature | None) -> None:
    """Save the model that a file in `code` holds."""
    mlflow.pyfunc.save_model(
        str(folder),
        python_model=str(CODE / f"{name}.py"),
        signature=signature,
        pip_requirements=NO_REQUIREMENTS,
    )

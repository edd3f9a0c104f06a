"""A sample: rows to ask a model for, read from a file in the form that the model takes."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import convert_input_example_to_serving_input
from mlflow.types import Schema

from terna.contracts.reference_rows import MOST_ROWS
from terna.errors import DataError
from terna.predictor.inputs import column_names, text_columns

Document = Mapping[str, Any]


def read_sample(path: Path, schema: Schema, seed: int) -> Document:
    """Read a file of rows as a request of MLflow's scoring protocol.

    Of a table, which may have other columns too, at most `MOST_ROWS` random rows are taken.

    Args:
        path: a table as .csv or .parquet, or a request as .json.

    Raises:
        DataError: it cannot be read, or it does not have what the schema asks for.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    if path.suffix.lower() == ".json":
        return _read_request(path)
    table = _read_table(path, schema)
    rows = table.sample(min(MOST_ROWS, len(table)), random_state=seed)
    return _as_request(rows, schema)


def _read_request(path: Path) -> Document:
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(f"{path} is no JSON.") from error
    if not isinstance(document, dict):
        raise DataError(f"{path} is no request: write what a client would send, as an object.")
    return document


def _read_table(path: Path, schema: Schema) -> pd.DataFrame:
    readers: dict[str, Callable[[], pd.DataFrame]] = {
        ".csv": lambda: pd.read_csv(path, dtype=dict.fromkeys(text_columns(schema), str)),
        ".parquet": lambda: pd.read_parquet(path),
    }
    if path.suffix.lower() not in readers:
        raise DataError(f"{path} is no .csv, .parquet or .json file.")
    try:
        table = readers[path.suffix.lower()]()
    except Exception as error:  # pandas and pyarrow have no error class in common
        raise DataError(f"{path} cannot be read: {type(error).__name__}.") from error
    if table.empty:
        raise DataError(f"{path} holds no rows.")
    return table


def _as_request(table: pd.DataFrame, schema: Schema) -> Document:
    """Return a table as a request, in the form that the schema has."""
    names = column_names(schema)
    if names:
        return _split(_select(table, names, schema.required_input_names()))
    width = _width(schema)
    if width is None:
        raise DataError("The model takes tensors: write the sample as a request, in a .json file.")
    if width >= 0 and len(table.columns) != width:
        raise DataError(f"The model takes {width} columns; the sample has {len(table.columns)}.")
    if schema.is_tensor_spec():
        return {"inputs": table.to_numpy().tolist()}
    return _split(table.set_axis(schema.input_names(), axis=1))


def _select(table: pd.DataFrame, names: Sequence[str], required: Sequence[Any]) -> pd.DataFrame:
    table = table.set_axis([str(column) for column in table.columns], axis=1)
    if missing := [str(name) for name in required if str(name) not in table.columns]:
        raise DataError(f"The sample lacks the columns: {', '.join(missing)[:300]}.")
    return table[[name for name in names if name in table.columns]]


def _width(schema: Schema) -> int | None:
    """Return how many columns without names make a row, -1 for any; None where no table fits."""
    if not schema.is_tensor_spec():
        return len(schema.inputs)
    shape: Sequence[int] = getattr(schema.inputs[0], "shape", ())
    is_matrix = len(schema.inputs) == 1 and not schema.inputs[0].name and len(shape) == 2
    return int(shape[1]) if is_matrix else None


def _split(table: pd.DataFrame) -> Document:
    """Return the rows as MLflow writes an input example, and a missing cell as null."""
    document: dict[str, Any] = json.loads(convert_input_example_to_serving_input(table) or "")
    missing = table.isna().to_numpy()
    for row, empty in zip(document["dataframe_split"]["data"], missing, strict=True):
        row[:] = [None if gone else cell for cell, gone in zip(row, empty, strict=True)]
    return document

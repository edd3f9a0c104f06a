"""Rows to ask a model for, in the form that it takes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from terna.contracts.reference_rows import MOST_ROWS
from terna.errors import DataError
from terna.training.sample import read_sample

NAMED = Schema(
    [
        ColSpec(DataType.double, "minutes"),
        ColSpec(DataType.string, "code"),
        ColSpec(DataType.datetime, "since", required=False),
    ]
)
UNNAMED = Schema([ColSpec(DataType.double), ColSpec(DataType.double)])
MATRIX = Schema([TensorSpec(np.dtype("float64"), (-1, 2))])
IMAGES = Schema([TensorSpec(np.dtype("float32"), (-1, 2, 2))])


def write(folder: Path, table: pd.DataFrame, suffix: str = ".csv") -> Path:
    path = folder / f"sample{suffix}"
    if suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)
    return path


def rows(document: Any) -> list[list[Any]]:
    """The rows of a table, sorted: which come first is random."""
    return sorted(document["dataframe_split"]["data"], key=str)


@pytest.fixture
def customers() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": ["yes", "no"],
            "code": ["007", None],
            "minutes": [1.5, np.nan],
            "since": pd.to_datetime(["2026-01-02 03:04:05", "NaT"]),
        }
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_table_becomes_the_schemas_columns_with_nulls(
    tmp_path: Path, customers: pd.DataFrame, suffix: str
) -> None:
    document = read_sample(write(tmp_path, customers, suffix), NAMED, seed=0)
    assert document["dataframe_split"]["columns"] == ["minutes", "code", "since"]
    first, second = rows(document)
    assert first[:2] == [1.5, "007"]
    assert first[2].replace(" ", "T") == "2026-01-02T03:04:05"
    assert second == [None, None, None]
    json.dumps(document, allow_nan=False)


def test_optional_column_may_be_missing(tmp_path: Path, customers: pd.DataFrame) -> None:
    path = write(tmp_path, customers.drop(columns="since"))
    document = read_sample(path, NAMED, seed=0)
    assert document["dataframe_split"]["columns"] == ["minutes", "code"]


def test_missing_columns_are_named(tmp_path: Path, customers: pd.DataFrame) -> None:
    path = write(tmp_path, customers.drop(columns=["code", "minutes"]))
    with pytest.raises(DataError, match="lacks the columns: minutes, code"):
        read_sample(path, NAMED, seed=0)


def test_large_table_is_cut_to_the_same_random_rows(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": np.arange(1000.0), "b": np.arange(1000.0)})
    path = write(tmp_path, table)
    first, again = (read_sample(path, UNNAMED, seed=3) for _ in range(2))
    assert len(rows(first)) == MOST_ROWS
    assert first == again
    assert rows(first) != table.head(MOST_ROWS).to_numpy().tolist()


def test_unnamed_columns_are_sent_without_names(tmp_path: Path) -> None:
    path = write(tmp_path, pd.DataFrame({"a": [1.0], "b": [2.0]}))
    assert read_sample(path, UNNAMED, seed=0) == {"dataframe_split": {"data": [[1.0, 2.0]]}}


def test_columns_named_by_numbers_are_sent_with_these(tmp_path: Path) -> None:
    path = write(tmp_path, pd.DataFrame({"a": [1.0], "b": [2.0]}))
    numbered = infer_signature(pd.DataFrame({3: [1.0], 4: [2.0]})).inputs

    request = read_sample(path, numbered, seed=0)

    assert request == {"dataframe_split": {"columns": [3, 4], "data": [[1.0, 2.0]]}}


def test_matrix_is_sent_as_inputs(tmp_path: Path) -> None:
    path = write(tmp_path, pd.DataFrame({"a": [1.0], "b": [2.0]}))
    assert read_sample(path, MATRIX, seed=0) == {"inputs": [[1.0, 2.0]]}


@pytest.mark.parametrize("schema", [UNNAMED, MATRIX])
def test_table_of_another_width_is_refused(tmp_path: Path, schema: Schema) -> None:
    path = write(tmp_path, pd.DataFrame({"a": [1.0]}))
    with pytest.raises(DataError, match="takes 2 columns; the sample has 1"):
        read_sample(path, schema, seed=0)


def test_table_for_tensors_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, pd.DataFrame({"a": [1.0]}))
    with pytest.raises(DataError, match=r"in a \.json file"):
        read_sample(path, IMAGES, seed=0)


@pytest.mark.parametrize("schema", [NAMED, IMAGES])
def test_request_is_taken_as_it_is(tmp_path: Path, schema: Schema) -> None:
    path, request = tmp_path / "sample.json", {"inputs": [[[1.0, 2.0], [3.0, 4.0]]]}
    path.write_text(json.dumps(request))
    assert read_sample(path, schema, seed=0) == request


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("rows.json", b"{", "is no JSON"),
        ("rows.json", b"\xff\xfe", "is no JSON"),
        ("rows.json", b"[1]", "is no request"),
        ("rows.csv", b"", "cannot be read: EmptyDataError"),
        ("rows.csv", b"minutes,code\n", "holds no rows"),
        ("rows.parquet", b"x", "cannot be read: ArrowInvalid"),
        ("rows.xlsx", b"x", "is no .csv, .parquet or .json file"),
        ("gone.csv", None, "There is no file"),
    ],
)
def test_unusable_sample_is_one_clear_line(
    tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=reason) as refused:
        read_sample(tmp_path / name, NAMED, seed=0)
    assert len(str(refused.value).splitlines()) == 1

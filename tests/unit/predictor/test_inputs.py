"""Requests are parsed as MLflow parses them, and so are strictly typed rows."""

import json
import math
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mlflow.models import Model
from mlflow.models.signature import ModelSignature, infer_signature
from mlflow.types import ColSpec, DataType, Schema

from terna.contracts.limits import MAX_CELLS
from terna.contracts.scoring import JSON, PARQUET, ScoringRequest
from terna.errors import PayloadTooLarge, UnsupportedMediaType
from terna.predictor.inputs import InputParser, Inputs, column_names, media_type, rows_of_frame
from terna.predictor.mlflow_private import enforce_schema

KINDS = {
    "minutes": DataType.double,
    "plan": DataType.string,
    "calls": DataType.long,
    "vip": DataType.boolean,
}
NAMES = list(KINDS)
SCHEMA = Schema([ColSpec(kind, name) for name, kind in KINDS.items()])
PARSER = InputParser(Model(signature=ModelSignature(SCHEMA)))

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
strictly_typed_rows = st.lists(
    st.tuples(
        st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
        st.none() | texts,
        st.integers(-(2**63), 2**63 - 1),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


def as_form(form: str, rows: list[tuple[Any, ...]]) -> bytes:
    records = [dict(zip(NAMES, row, strict=True)) for row in rows]
    document: Any = {
        "inputs as records": {"inputs": records},
        "inputs as columns": {"inputs": {n: [r[n] for r in records] for n in NAMES}},
        "inputs in order": {"inputs": rows},
        "instances as records": {"instances": records},
        "instances in order": {"instances": rows},
        "Azure's data": {"data": rows},
        "dataframe_records": {"dataframe_records": records},
        "dataframe_split": {"dataframe_split": {"columns": NAMES, "data": rows}},
        "reversed": {
            "dataframe_split": {"columns": NAMES[::-1], "data": [row[::-1] for row in rows]}
        },
    }[form]
    return json.dumps(document).encode()


FORMS = (
    "inputs as records",
    "inputs as columns",
    "inputs in order",
    "instances as records",
    "instances in order",
    "Azure's data",
    "dataframe_records",
    "dataframe_split",
    "reversed",
)


@settings(max_examples=300)
@given(form=st.sampled_from(FORMS), rows=strictly_typed_rows)
def test_strictly_typed_rows_equal_those_that_mlflow_parses(
    form: str, rows: list[tuple[Any, ...]]
) -> None:
    sent = as_form(form, rows)
    request = ScoringRequest(JSON, sent)

    frame = enforce_schema(PARSER.parse(request).data, SCHEMA)

    strict = request.strictly_typed_rows(NAMES)
    assert strict is not None or "\\u0000" in sent.decode()
    assert list(frame.columns) == NAMES
    for strict_row, row in zip(strict or (), frame.itertuples(index=False), strict=bool(strict)):
        assert [same(a, b) for a, b in zip(strict_row, row, strict=True)] == [True] * len(NAMES)


def same(strict: Any, enforced: Any) -> bool:
    """Equal, also where pandas has another word for a missing value."""
    missing = enforced is None or (isinstance(enforced, float) and math.isnan(enforced))
    return missing if strict is None else bool(strict == enforced)


row_names = st.text(max_size=3) | st.integers(-(2**70), 2**70)


@settings(max_examples=300)
@given(
    table=st.lists(st.tuples(row_names, strictly_typed_rows.map(lambda rows: rows[0])), min_size=1),
    columns=st.sampled_from([None, NAMES]),
)
@example(table=[("twice", (1.5, None, 3, True)), ("twice", (None, "x", 4, False))], columns=NAMES)
@example(table=[("2026-12-01", (1, "x", 3, True)), ("", (2, "y", 4, True))], columns=None)
def test_names_of_rows_change_no_row(
    table: list[tuple[str | int, tuple[Any, ...]]], columns: list[str] | None
) -> None:
    index, rows = zip(*table, strict=True)
    split = {"data": rows, "index": index} | ({"columns": columns} if columns else {})
    request = ScoringRequest(JSON, json.dumps({"dataframe_split": split}).encode())

    frame = enforce_schema(PARSER.parse(request).data, SCHEMA)

    assert list(frame.columns) == NAMES
    strict = request.strictly_typed_rows(NAMES)
    for read in (strict or rows, frame.itertuples(index=False)):
        for row, sent in zip(read, rows, strict=True):
            assert [same(a, b) for a, b in zip(sent, row, strict=True)] == [True] * len(NAMES)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("beside", [[], ["basic"]])
def test_missing_text_is_missing_in_every_form(form: str, beside: list[str]) -> None:
    rows = [(1.5, plan, 3, True) for plan in [None, *beside]]

    frame = PARSER.parse(ScoringRequest(JSON, as_form(form, rows))).data

    column = enforce_schema(frame, SCHEMA)["plan"]
    assert isinstance(column.dtype, pd.StringDtype)
    assert column.isna().tolist() == [True] + [False] * len(beside)


def test_columns_without_rows_are_as_mlflow_makes_them() -> None:
    body = json.dumps({"dataframe_split": {"columns": NAMES, "data": []}}).encode()

    frame = PARSER.parse(ScoringRequest(JSON, body)).data

    assert frame["plan"].dtype == object


def test_columns_named_by_numbers_are_matched_by_position() -> None:
    schema = infer_signature(pd.DataFrame([[0.5, 1.5]])).inputs
    parser = InputParser(Model(signature=ModelSignature(schema)))

    array = parser.parse(ScoringRequest(JSON, b'{"inputs": [[1, 2]]}')).data

    assert column_names(schema) == []
    assert enforce_schema(array, schema).to_dict("list") == {0: [1.0], 1: [2.0]}


@pytest.mark.parametrize(
    ("content_type", "name"),
    [
        ("text/csv", "text/csv"),
        ("application/json;charset=UTF-8", "application/json"),
        ("application/vnd.apache.parquet ; charset=utf-8", "application/vnd.apache.parquet"),
    ],
)
def test_content_type_with_charset_utf8_is_accepted(content_type: str, name: str) -> None:
    assert media_type(content_type) == name


@given(st.text())
def test_content_type_error_does_not_repeat_it(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType) as refused:
        media_type(f"{content_type}; SECRET=SECRET")

    assert "SECRET" not in str(refused.value)


def test_small_parquet_file_of_too_many_rows_is_rejected() -> None:
    file = BytesIO()
    pd.DataFrame({"minutes": 0.0}, index=range(MAX_CELLS + 1)).to_parquet(file, index=False)
    assert len(file.getvalue()) < 100_000

    with pytest.raises(PayloadTooLarge, match="fewer rows"):
        PARSER.parse(ScoringRequest(PARQUET, file.getvalue()))


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (pd.DataFrame({"a": [1, 2, 3]}), 3),
        (np.zeros((2, 5)), 2),
        ({"a": np.zeros(4), "b": np.zeros(4)}, 4),
        ([{"a": 1}], 1),
        (np.float64(7), 1),
        (np.array(7), 1),
    ],
)
def test_rows_of_any_parsed_data_are_counted(data: Any, rows: int) -> None:
    assert Inputs(data).rows == rows


def test_rows_of_frame_are_in_the_order_of_the_names() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]}).astype({"b": "str"})

    rows = rows_of_frame(frame, ["b", "a"])

    assert rows is not None
    assert rows[0] == ("x", 1)
    assert math.isnan(rows[1][0])


@pytest.mark.parametrize("cells", [[], [None, "x"]])
def test_frame_without_rows_or_with_none_among_texts_has_no_rows(cells: list[Any]) -> None:
    assert rows_of_frame(pd.DataFrame({"a": pd.Series(cells, dtype=object)}), ["a"]) is None


def test_column_of_none_alone_has_rows() -> None:
    frame = pd.DataFrame({"a": pd.Series([None, None], dtype=object)})

    assert rows_of_frame(frame, ["a"]) == [(None,), (None,)]

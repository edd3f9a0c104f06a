"""Rows are read strictly where a body can only be meant as a table."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terna.contracts.scoring import JSON, Rows, ScoringRequest
from terna.errors import BadRequest

NAMES = ["a", "b"]
ROWS: list[list[Any]] = [[1, "x"], [2.5, None]]
RECORDS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]


def strict_rows(sent: bytes, names: list[str] = NAMES) -> Rows | None:
    return ScoringRequest(JSON, sent).strictly_typed_rows(names)


def body(**document: Any) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "document",
    [
        {"inputs": ROWS},
        {"instances": ROWS},
        {"data": ROWS},
        {"inputs": RECORDS},
        {"instances": RECORDS},
        {"dataframe_records": RECORDS},
        {"dataframe_records": [record | {"more": [1]} for record in RECORDS]},
        {"inputs": {"b": ["x", None], "a": [1, 2.5]}},
        {"dataframe_split": {"data": ROWS}},
        {"dataframe_split": {"columns": ["a", "b"], "data": ROWS}},
        {"dataframe_split": {"columns": ["b", "c", "a"], "data": [["x", 0, 1], [None, 0, 2.5]]}},
    ],
    ids=json.dumps,
)
def test_each_form_gives_the_rows_in_the_order_of_the_columns(document: dict[str, Any]) -> None:
    assert [list(row) for row in strict_rows(body(**document)) or ()] == ROWS


@pytest.mark.parametrize(
    "sent",
    [
        b"[1]",
        b"7",
        b"{}",
        b'{"inputs": [[NaN, "x"]]}',
        b'{"inputs": [[1e999, "x"]]}',
        b'{"inputs": [[1, "\\ud800"]]}',
        b'{"inputs": [[1, "x\\u0000"]]}',
        b'\xef\xbb\xbf{"inputs": [[1, "x"]]}',
        body(rows=ROWS),
        body(inputs=ROWS, params={}),
        body(inputs=ROWS, messages=[]),
        body(inputs=[]),
        body(inputs=[[1]]),
        body(inputs=[[1, "x", 2]]),
        body(inputs=[[1, "x"], "ab"]),
        body(inputs=[{"a": 1}]),
        body(inputs=[{"a": 1, "b": "x", "c": [1]}]),
        body(inputs=[{"a": 1, "b": "x"}, [1, "x"]]),
        body(inputs={"a": [1], "b": ["x", "y"]}),
        body(inputs={"a": 1, "b": "x"}),
        body(inputs={"a": [1], "b": ["x"], "c": [1]}),
        body(inputs="ab"),
        body(dataframe_records={"a": 1, "b": "x"}),
        body(dataframe_records=["ab"]),
        body(dataframe_records=[{"a": 1}]),
        body(dataframe_split=ROWS),
        body(dataframe_split={"columns": NAMES}),
        body(dataframe_split={"columns": NAMES, "data": ROWS, "index": [0, 1]}),
        body(dataframe_split={"columns": ["a"], "data": [[1]]}),
        body(dataframe_split={"columns": ["a", "a", "b"], "data": [[1, 2, "x"]]}),
        body(dataframe_split={"columns": [["a"], "b"], "data": ROWS}),
        body(dataframe_split={"columns": NAMES, "data": [[1, "x"], [1]]}),
    ],
)
def test_what_is_not_plainly_these_columns_is_left_to_mlflow(sent: bytes) -> None:
    assert strict_rows(sent) is None


@pytest.mark.parametrize("sent", [b"", b"{", b"[" * 100_000, b'{"inputs": [[1, "x"]]'])
def test_what_is_no_json_is_refused_without_mlflow(sent: bytes) -> None:
    with pytest.raises(BadRequest, match="not valid JSON"):
        strict_rows(sent)


def test_the_lists_of_one_column_are_left_to_mlflow() -> None:
    assert strict_rows(body(inputs=[["x"]]), ["a"]) is None
    assert strict_rows(body(inputs=[{"a": "x"}]), ["a"]) == [["x"]]


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)
keys = st.sampled_from(["inputs", "instances", "data", "dataframe_records", "dataframe_split"])


@given(form=keys, value=values)
def test_whatever_is_sent_it_is_a_whole_table_or_nothing(form: str, value: Any) -> None:
    rows = strict_rows(body(**{form: value}))
    assert rows is None or {len(row) for row in rows} == {len(NAMES)}

"""A body becomes rows, or an error that says what is wrong and repeats no value."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from terna.contracts.scoring import (
    FORMS,
    JSON,
    Rows,
    ScoringRequest,
    Table,
    decode,
    parse,
    render,
    render_error,
)
from terna.errors import BadRequest

SECRET = "Ada Lovelace, +44 20 7946 0991"
KEYS = [*FORMS, "columns", "data", "index", SECRET]

cells = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)
) | st.text(max_size=5)
names = st.lists(st.text(max_size=5), min_size=1, max_size=4, unique=True)
documents = st.recursive(
    st.sampled_from([None, True, 7, 0.5, SECRET]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=12,
)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    columns = tuple(draw(names))
    row = st.lists(cells, min_size=len(columns), max_size=len(columns))
    return Table(draw(st.lists(row, min_size=1, max_size=4)), columns)


def body(**document: Any) -> bytes:
    return json.dumps(document).encode()


def parsed(sent: bytes) -> Table:
    return parse(decode(sent))


def parsed_or_error(sent: bytes) -> Table | BadRequest:
    try:
        return parsed(sent)
    except BadRequest as error:
        return error


@given(tables())
def test_same_rows_in_every_form_parse_alike(rows: Table) -> None:
    columns, values = list(rows.columns or ()), rows.values
    records = [dict(zip(columns, row, strict=True)) for row in values]
    by_column = {name: [row[i] for row in values] for i, name in enumerate(columns)}
    for form in (
        body(dataframe_split={"columns": columns, "data": values}),
        body(dataframe_split={"columns": columns, "index": [0], "data": values}),
        body(dataframe_records=records),
        body(inputs=records),
        body(instances=records),
        body(inputs=by_column),
        body(instances=by_column),
    ):
        assert parsed(form) == rows
    for form in (
        body(dataframe_split={"data": values}),
        body(inputs=values),
        body(instances=values),
    ):
        assert parsed(form) == Table(values, columns=None)


@given(st.binary())
@example(b"")
@example(b"\xff\xfe")
@example(b'{"inputs": [["\\ud800"]]}')
def test_any_bytes_are_rows_or_bad_request(sent: bytes) -> None:
    assert isinstance(parsed_or_error(sent), Table | BadRequest)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"[" * 100_000, id="lists in lists"),
        pytest.param(b'{"inputs":' * 100_000, id="objects in objects"),
        pytest.param(b'{"inputs": [[' + b"1" * 5000 + b"]]}", id="a number of 5000 digits"),
    ],
)
def test_extreme_nesting_or_number_raises_bad_request(sent: bytes) -> None:
    assert str(parsed_or_error(sent)) == "The body is not valid JSON."


@given(documents)
def test_any_json_is_whole_rows_or_bad_request_of_one_line(document: Any) -> None:
    match parsed_or_error(json.dumps(document).encode()):
        case BadRequest() as refused:
            assert len(str(refused).splitlines()) == 1
        case Table(values, tuple() as columns):
            assert {len(row) for row in values} <= {len(columns)}


@given(documents, st.sampled_from(FORMS))
def test_error_never_repeats_a_value(document: Any, form: str) -> None:
    for sent in (json.dumps(document), json.dumps({form: document}), f'{{"{form}": {SECRET}}}'):
        told = parsed_or_error(sent.encode())
        if isinstance(told, BadRequest):
            assert SECRET not in f"{told} {told.__cause__}"


def test_one_row_without_names_is_parsed() -> None:
    row = [128, 25, 265.1, 197.4, 244.7, 10.0, 1, "no", 110, 99, 91, 3]
    assert parsed(body(inputs=[row])) == Table([row], columns=None)


def test_scalars_are_rows_of_one_value() -> None:
    assert parsed(body(inputs=[1, "b", None])) == Table([[1], ["b"], [None]])


def test_empty_list_is_no_rows() -> None:
    assert parsed(body(inputs=[])).values == []
    assert parsed(body(dataframe_split={"columns": ["a"], "data": []})) == Table([], ("a",))


def test_column_absent_from_a_record_is_null() -> None:
    records = [{"plan": "voice"}, {"calls": 2}]
    assert parsed(body(dataframe_records=records)) == Table(
        [["voice", None], [None, 2]], ("plan", "calls")
    )


def test_nan_literal_is_accepted() -> None:
    ((cell,),) = parsed(b'{"inputs": [[NaN]]}').values
    assert math.isnan(cell)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"{", "not valid JSON"),
        (b"[1]", "must be a JSON object"),
        (b"{}", "exactly one of the keys"),
        (body(rows=[[1]]), "it has none"),
        (body(inputs=[[1]], instances=[[1]]), r"several \('inputs', 'instances'\)"),
        (body(inputs=SECRET), "'inputs' must be a list of rows"),
        (body(instances=[[1], SECRET]), "Row 1 of 'instances' must be a list of values"),
        (body(instances=[{SECRET: 1}, [2]]), "Row 0 of 'instances' must be a list of values"),
        (body(inputs={SECRET: [1, 2], "b": [3]}), "lists of one length"),
        (body(dataframe_records={SECRET: 1}), "list of objects"),
        (body(dataframe_records=[[1]]), "list of objects"),
        (body(dataframe_split=[[1]]), "object with 'columns' and 'data'"),
        (body(dataframe_split={"columns": [SECRET]}), "object with 'columns' and 'data'"),
        (body(dataframe_split={"columns": SECRET, "data": [[1]]}), "a list of names"),
        (body(dataframe_split={"columns": [SECRET, SECRET], "data": [[1, 2]]}), "a column twice"),
        (
            body(dataframe_split={"columns": [SECRET], "data": [[SECRET], [SECRET, SECRET]]}),
            "Row 1 has 2 values for 1 columns",
        ),
    ],
)
def test_error_suggests_fix_and_repeats_no_value(sent: bytes, expected: str) -> None:
    with pytest.raises(BadRequest, match=expected) as refused:
        parsed(sent)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("labels", [["yes", "no"], [1, 0], [0.25], []])
def test_response_has_one_prediction_a_row(labels: list[Any]) -> None:
    assert json.loads(render(labels)) == {"predictions": labels}


def test_error_response_has_the_form_of_mlflow() -> None:
    message = str(parsed_or_error(b"{"))
    assert json.loads(render_error(BadRequest.error_code, message)) == {
        "error_code": "BAD_REQUEST",
        "message": message,
    }


NAMES = ["a", "b"]

ROWS: list[list[Any]] = [[1, "x"], [2.5, None]]

RECORDS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]


def strict_rows(sent: bytes, names: list[str] = NAMES) -> Rows | None:
    return ScoringRequest(JSON, sent).strictly_typed_rows(names)


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
        {"dataframe_split": {"data": ROWS, "index": ["one", "two"]}},
        {
            "dataframe_split": {
                "columns": ["b", "a"],
                "data": [["x", 1], [None, 2.5]],
                "index": [0, ""],
            }
        },
        {"dataframe_split": {"columns": NAMES, "data": ROWS, "index": ["twice", "twice"]}},
    ],
    ids=json.dumps,
)
def test_strictly_typed_rows_are_in_the_order_of_the_columns(document: dict[str, Any]) -> None:
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
        body(dataframe_split={"columns": NAMES, "data": ROWS, "index": None}),
        body(dataframe_split={"columns": NAMES, "data": ROWS, "index": "ab"}),
        body(dataframe_split={"columns": NAMES, "data": ROWS, "index": ["a"]}),
        body(dataframe_split={"columns": NAMES, "data": ROWS, "index": ["a", None]}),
        body(dataframe_split={"columns": NAMES, "data": ROWS, "index": [["a", "b"], ["c", "d"]]}),
        body(dataframe_split={"columns": NAMES, "data": ROWS, "names": ["a", "b"]}),
        body(dataframe_split={"columns": ["a"], "data": [[1]]}),
        body(dataframe_split={"columns": ["a", "a", "b"], "data": [[1, 2, "x"]]}),
        body(dataframe_split={"columns": [["a"], "b"], "data": ROWS}),
        body(dataframe_split={"columns": NAMES, "data": [[1, "x"], [1]]}),
    ],
)
def test_ambiguous_body_is_left_to_mlflow(sent: bytes) -> None:
    assert strict_rows(sent) is None


@pytest.mark.parametrize("sent", [b"", b"{", b"[" * 100_000, b'{"inputs": [[1, "x"]]'])
def test_invalid_json_is_rejected_without_mlflow(sent: bytes) -> None:
    with pytest.raises(BadRequest, match="not valid JSON"):
        strict_rows(sent)


def test_lists_of_one_column_are_left_to_mlflow() -> None:
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
def test_any_value_gives_a_whole_table_or_none(form: str, value: Any) -> None:
    rows = strict_rows(body(**{form: value}))
    assert rows is None or {len(row) for row in rows} == {len(NAMES)}

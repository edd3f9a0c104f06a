"""What serving writes of a value that it refuses is what a client reads, whatever the texts."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema

from terna.contracts.refusals import Cell, is_missing, read_cell, say_cell, say_missing
from terna.contracts.scoring import ScoringRequest
from terna.predictor.error_messages import ErrorMessages

EXPECTED = {
    "boolean": "true or false",
    "integer": "a whole number",
    "long": "a whole number",
    "float": "a number or null",
    "double": "a number or null",
    "string": "text or null",
}
LOOKS_LIKE_A_MESSAGE = "Row 7: 'x' must be text or null.\nMissing columns: \"a\"'."

texts = st.text() | st.sampled_from(["'", '"', "\r\n", LOOKS_LIKE_A_MESSAGE])


@given(st.integers(min_value=0), texts, st.sampled_from(sorted({*EXPECTED.values()})))
@example(0, "' must be a number", "text or null")
@example(3, LOOKS_LIKE_A_MESSAGE, "a number or null")
def test_cell_is_read_as_it_was_said(row: int, column: str, expected: str) -> None:
    cell = Cell(row, column, expected)

    assert read_cell(say_cell(cell)) == cell
    assert not is_missing(say_cell(cell))


@given(texts)
def test_missing_columns_are_no_cell(columns: str) -> None:
    assert is_missing(say_missing(columns))
    assert read_cell(say_missing(columns)) is None


@given(st.integers(0, 3), texts.filter(bool), texts)
@example(2, LOOKS_LIKE_A_MESSAGE, LOOKS_LIKE_A_MESSAGE)
def test_refused_value_is_found_and_does_not_pass_for_another(
    row: int, column: str, value: str
) -> None:
    records: list[dict[str, object]] = [{column: 1.5} for _ in range(4)]
    records[row] = {column: value}

    message = _messages("double", column).describe_error(_asking(records))

    assert read_cell(message) == Cell(row, column, EXPECTED["double"])


@given(texts)
@example(LOOKS_LIKE_A_MESSAGE)
def test_refused_value_is_not_in_the_message(value: str) -> None:
    def message(each: str) -> str:
        return _messages("double", "minutes").describe_error(_asking([{"minutes": each}]))

    assert message(value) == message("another") != ""


@pytest.mark.parametrize(("kind", "expected"), EXPECTED.items())
def test_each_type_of_column_says_what_it_must_be(kind: str, expected: str) -> None:
    message = _messages(kind, "plan").describe_error(_asking([{"plan": [1]}]))

    assert read_cell(message) == Cell(0, "plan", expected)


def test_column_that_is_not_sent_is_read_as_missing() -> None:
    message = _messages("double", "minutes").describe_error(_asking([{"plan": "x"}]))

    assert is_missing(message)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Row x: 'a' must be text.",
        "Row 1: 'a' must be text",
        " Row 1: 'a' must be text.",
        "Row 1: 'a' must be text.\n",
        "The model failed on these rows.",
    ],
)
def test_other_message_is_neither(message: str) -> None:
    assert read_cell(message) is None
    assert not is_missing(message)


def _messages(kind: str, column: str) -> ErrorMessages:
    signature = ModelSignature(Schema([ColSpec(kind, column)]))
    return ErrorMessages(Model(signature=signature))


def _asking(records: list[dict[str, object]]) -> ScoringRequest:
    body = json.dumps({"dataframe_records": records}).encode()
    return ScoringRequest("application/json", body)

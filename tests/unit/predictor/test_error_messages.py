"""Error messages name the row and the column that are wrong, and repeat no value."""

import json
import math
from typing import Any

import pytest

from terna.contracts.scoring import JSON, ScoringRequest, Table
from terna.errors import BadRequest, InvalidParameter
from terna.predictor.predictor import Predictor
from tests.unit.workshop import COLUMNS

GOOD: list[Any] = [120.5, "basic", 3, True]


def changed(column: str, value: Any) -> list[Any]:
    return [value if c == column else v for c, v in zip(COLUMNS, GOOD, strict=True)]


def error_message(model: Predictor, rows: Table) -> str:
    with pytest.raises(BadRequest) as error:
        model.predict_table(rows)
    return str(error.value)


def test_missing_columns_are_named(model: Predictor) -> None:
    assert (
        error_message(model, Table([GOOD[1:3]], COLUMNS[1:3])) == "Missing columns: minutes, vip."
    )


def test_row_of_wrong_length_is_named_with_the_columns(model: Predictor) -> None:
    body = json.dumps({"inputs": [GOOD, GOOD[:-1]]}).encode()

    with pytest.raises(InvalidParameter) as error:
        model.predict(ScoringRequest(JSON, body))

    assert str(error.value) == (
        "Row 1 has 3 values, and the model takes 4: minutes, plan, calls, vip."
    )


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        ("minutes", "a lot", "a number or null"),
        ("minutes", [120.5], "a number or null"),
        ("minutes", math.inf, "a number or null"),
        ("minutes", -math.inf, "a number or null"),
        pytest.param("minutes", 10**400, "a number or null", id="minutes-huge"),
        ("plan", {"name": "basic"}, "text or null"),
        ("plan", "basic \ud800", "text or null"),
        ("calls", "many", "a whole number"),
        ("calls", None, "a whole number"),
        ("calls", math.nan, "a whole number"),
        ("calls", [3], "a whole number"),
        ("calls", 10**30, "a whole number"),
    ],
)
def test_value_of_wrong_type_is_named_by_row_and_column_only(
    model: Predictor, column: str, value: Any, wanted: str
) -> None:
    message = error_message(model, Table([GOOD, changed(column, value)]))

    assert message == f"Row 1: '{column}' must be {wanted}."

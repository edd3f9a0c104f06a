"""What a request would cost is counted in the document as it was sent."""

from typing import Any

import pytest

from terna.contracts.limits import (
    MAX_CELLS,
    MAX_CONTAINERS,
    MAX_REPEATED_COLUMNS,
    MAX_UNKNOWN_COLUMNS,
    check_arrays,
    check_cells,
    check_csv,
    check_json,
    check_repeated,
    check_table,
)
from terna.errors import BadRequest, PayloadTooLarge

LONG = "x" * 200_000


@pytest.mark.parametrize(
    "body",
    [b"[]," * (MAX_CONTAINERS + 1), b"{}," * (MAX_CONTAINERS // 2 + 1), b"1," * (MAX_CELLS + 1)],
)
def test_json_of_too_many_values_is_refused(body: bytes) -> None:
    with pytest.raises(PayloadTooLarge, match="too many lists, objects or values"):
        check_json(body)


def test_rows_times_columns_are_limited() -> None:
    check_cells(1_000, MAX_CELLS // 1_000)

    with pytest.raises(PayloadTooLarge, match="fewer rows or columns"):
        check_cells(1_000, MAX_CELLS // 1_000 + 1)


@pytest.mark.parametrize("known", [0, 3])
def test_columns_beyond_the_schemas_are_limited(known: int) -> None:
    record = dict.fromkeys(map(str, range(known + MAX_UNKNOWN_COLUMNS)), 1)

    check_table({"inputs": [record]}, "inputs", known)
    with pytest.raises(PayloadTooLarge, match="fewer columns"):
        check_table({"inputs": [record | {"x": 1}]}, "inputs", known)


def test_array_has_no_columns_where_the_model_takes_arrays() -> None:
    document = {"inputs": [[0] * (MAX_UNKNOWN_COLUMNS + 1)]}

    check_table(document, "inputs", 0, takes_arrays=True)
    with pytest.raises(PayloadTooLarge):
        check_table(document, "inputs", 0)


def test_columns_of_one_name_are_limited() -> None:
    check_repeated(["a"] * (MAX_REPEATED_COLUMNS + 1))

    with pytest.raises(BadRequest, match="each column once"):
        check_repeated(["a"] * (MAX_REPEATED_COLUMNS + 2))


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("inputs", {"a": [LONG] + ["b"] * 1_000}),
        ("inputs", [[LONG], *([["b"]] * 1_000)]),
        ("instances", [{"a": LONG}] + [{"a": "b"}] * 1_000),
        ("inputs", {"a": [10**4200] + [1] * 100_000}),
        ("dataframe_records", [{"a": [LONG] + ["b"] * 1_000}]),
        ("dataframe_split", {"data": [[[LONG] + ["b"] * 1_000]]}),
    ],
)
def test_long_text_in_an_array_of_many_is_refused(form: str, value: Any) -> None:
    with pytest.raises(PayloadTooLarge, match="shorter texts or fewer rows"):
        check_arrays(form, value, joined=False)


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("inputs", [{"a": LONG}] + [{"a": "b"}] * 1_000),
        ("dataframe_split", {"columns": ["a"], "data": [[LONG], *([["b"]] * 1_000)]}),
        ("inputs", [[1.5] * 1_000] * 1_000),
        ("inputs", {}),
        ("inputs", LONG),
        ("inputs", None),
    ],
)
def test_cells_and_numbers_without_a_common_width_are_accepted(form: str, value: Any) -> None:
    assert check_arrays(form, value, joined=False) is None  # type: ignore[func-returns-value]


def test_lists_in_cells_of_tensors_are_counted_as_one_array() -> None:
    rows = [{"a": [LONG]}] + [{"a": ["b"]}] * 1_000

    check_arrays("dataframe_records", rows, joined=False)
    with pytest.raises(PayloadTooLarge):
        check_arrays("dataframe_records", rows, joined=True)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a," * (MAX_REPEATED_COLUMNS + 1) + "a\n", BadRequest),
        ("\n \na," * 1 + ",".join(map(str, range(9_000))) + "\n" + "1\n" * 1_000, PayloadTooLarge),
        ("a\r" + "1," * 9_000 + "\r" + "1\r" * 1_000, PayloadTooLarge),
        ("a\n" + "1," * (MAX_UNKNOWN_COLUMNS + 1), PayloadTooLarge),
    ],
    ids=["one name", "short rows", "a wide first row", "many columns"],
)
def test_csv_of_a_large_table_is_refused(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        check_csv(text, 0)


@pytest.mark.parametrize("text", ["", "\n", 'a,"b\nc"\n1,2\n', "a,,,\n1,,,\n" * 1_000])
def test_csv_of_a_small_table_is_accepted(text: str) -> None:
    assert check_csv(text, 0) is None  # type: ignore[func-returns-value]

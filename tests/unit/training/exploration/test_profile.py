"""What each column is said to be, and how strongly it is related to the target."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from terna.errors import DataError
from terna.training.exploration.profile import (
    ColumnProfile,
    profile_columns,
    split_target,
    uncertainty_coefficient,
)
from tests.unit.training.exploration.tables import ROWS, customers

RANDOM = np.random.default_rng(11)


def profiles(table: pd.DataFrame) -> dict[str, ColumnProfile]:
    """Profile every column by name, the most related first."""
    columns, classes = split_target(table, "churn")
    return {profile.name: profile for profile in profile_columns(columns, columns, classes)}


def profile(cells: Any) -> ColumnProfile:
    """Profile one column beside the customers'."""
    return profiles(customers().assign(column=cells))["column"]


def test_number_has_low_median_and_high() -> None:
    charge = profile([1.5, 2.5, 12000.0, None] * (ROWS // 4))
    assert (charge.kind, charge.missing, charge.distinct) == ("number", 0.25, 3)
    assert charge.quantiles == ("1.5", "2.5", "12,000")
    assert charge.categories == ()


def test_text_has_most_frequent_categories() -> None:
    plan = profile((["gold"] + ["basic"] * 3) * (ROWS // 4))
    assert (plan.kind, plan.missing, plan.distinct) == ("text", 0, 2)
    assert plan.categories == (("basic", "75.0%"), ("gold", "25.0%"))
    assert plan.quantiles == ()


@pytest.mark.parametrize("dtype", ["object", "str", "category"])
def test_text_of_any_dtype_is_text(dtype: str) -> None:
    assert profiles(customers().astype({"plan": dtype, "churn": dtype}))["plan"].kind == "text"


@pytest.mark.parametrize("dtype", ["bool", "boolean"])
def test_boolean_column_has_two_categories(dtype: str) -> None:
    flag = profile(pd.Series([True, False] * (ROWS // 2), dtype=dtype))
    assert set(flag.categories) == {("True", "50.0%"), ("False", "50.0%")}


def test_category_of_fewer_than_ten_customers_is_not_named() -> None:
    note = profile(["none"] * (ROWS - 19) + ["shared by ten"] * 10 + ["call Grace Hopper"] * 9)
    assert [name for name, _ in note.categories] == ["none", "shared by ten"]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([*[7.0] * (ROWS - 20), *[-98765.5] * 9, *[98765.5] * 9, 7.0, 7.0], ("7", "7", "7")),
        ([*[7.0] * (ROWS - 20), *[-98765.5] * 10, *[98765.5] * 10], ("-98,770", "7", "98,770")),
        ([100 + row / 1000 for row in range(ROWS)], ("100", "100.2", "100.4")),
        ([1000.25 * row for row in range(ROWS)], ("10,000", "200,000", "390,000")),
        ([0.0] * ROWS, ("0", "0", "0")),
        ([np.inf] * ROWS, ("inf", "inf", "inf")),
        ([1.5] * 19 + [None] * (ROWS - 19), ()),
    ],
    ids=["rare ends", "shared ends", "measurements", "far apart", "zero", "infinite", "too few"],
)
def test_number_is_rounded_until_ten_customers_share_it(
    cells: list[Any], expected: tuple[str, ...]
) -> None:
    assert profile(cells).quantiles == expected


@pytest.mark.parametrize(
    ("cells", "identifier"),
    [
        (list(range(ROWS)), True),
        ([f"c-{row}" for row in range(ROWS)], True),
        ([row + 0.5 for row in range(ROWS)], False),
        ([f"c-{row % 150}" for row in range(ROWS)], False),
    ],
    ids=["whole numbers", "texts", "measurements", "repeated texts"],
)
def test_column_of_distinct_whole_numbers_or_texts_is_identifier(
    cells: list[Any], identifier: bool
) -> None:
    assert profile(cells).identifier is identifier


def test_identifier_has_no_values() -> None:
    for cells in (range(ROWS), [f"c-{row}" for row in range(ROWS)]):
        found = profile(list(cells))
        assert (found.quantiles, found.categories) == ((), ())


def test_too_few_rows_for_identifier() -> None:
    table = pd.DataFrame({"id": range(19), "churn": "no"})
    assert not profiles(table)["id"].identifier


@pytest.mark.parametrize(("text", "numeric"), [("{}.5", True), ("row {}", False)])
def test_text_that_reads_as_numbers_is_noticed(text: str, numeric: bool) -> None:
    assert profile([text.format(row % 50) for row in range(ROWS)]).numbers_as_text is numeric


def test_profiles_are_sorted_by_relation() -> None:
    found = profiles(customers())
    assert next(iter(found)) == "minutes"
    relations = [each.relation for each in found.values()]
    assert relations == sorted(relations, reverse=True)


def test_copy_of_target_is_fully_related_and_noise_is_not() -> None:
    found = profiles(customers().assign(copy=lambda table: table["churn"] == "yes"))
    assert found["copy"].relation == pytest.approx(1)
    assert found["noise"].relation < 0.05


def test_relation_that_is_not_monotonic_is_found() -> None:
    spread = np.where(customers()["churn"] == "yes", 10.0, 0.1)
    assert profile(RANDOM.normal(size=ROWS) * spread).relation > 0.3


def test_missing_values_that_tell_the_target_are_related() -> None:
    table = customers()
    assert profile(table["noise"].where(table["churn"] == "yes")).relation > 0.9


def test_identifier_is_not_related() -> None:
    assert profile([f"customer{row}@example.org" for row in range(ROWS)]).relation == 0


def test_text_of_many_rare_values_is_not_related_by_chance() -> None:
    assert profile([f"street {row * row % 397}" for row in range(ROWS)]).relation < 0.1


def test_relation_to_single_class_is_zero() -> None:
    assert uncertainty_coefficient(pd.Series(range(ROWS)), np.zeros(ROWS, dtype=int)) == 0


@pytest.mark.parametrize(
    ("cells", "drawable"),
    [
        ([7] * ROWS, False),
        ([None] * ROWS, False),
        ([f"c-{row}" for row in range(ROWS)], False),
        (list(range(ROWS)), False),
        ([row + 0.5 for row in range(ROWS)], True),
    ],
    ids=["constant", "empty", "text identifier", "number identifier", "measurement"],
)
def test_constants_and_identifiers_are_not_drawable(cells: list[Any], drawable: bool) -> None:
    assert profile(cells).drawable is drawable


def test_unusual_columns_are_profiled() -> None:
    table = customers().assign(
        infinite=np.where(np.arange(ROWS) % 9 == 0, np.inf, RANDOM.normal(size=ROWS)),
        nullable=pd.array([1, None] * (ROWS // 2), dtype="Int64"),
        mixed=pd.Series([1, "1", None, [2]] * (ROWS // 4), dtype="object"),
        day=pd.date_range("2026-01-01", periods=ROWS),
    )
    table[7] = 1.0
    assert {"infinite", "nullable", "mixed", "day", "7"} <= set(profiles(table))


def test_rows_without_target_are_dropped() -> None:
    table = customers()
    table.loc[:99, "churn"] = None
    columns, classes = split_target(table, "churn")
    assert len(columns) == len(classes) == 300
    assert list(columns) == ["noise", "minutes", "plan"]


def test_table_is_not_changed() -> None:
    table = customers()
    before = table.copy(deep=True)
    profiles(table)
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (customers().drop(columns="churn"), "no column 'churn'"),
        (customers().assign(churn=None), "no value in any row"),
        (customers().head(0), "no value in any row"),
        (customers().set_axis(["a", "a", "b", "churn"], axis=1), "called 'a'"),
    ],
    ids=["absent", "empty", "no rows", "duplicate"],
)
def test_unusable_table_raises_data_error(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        split_target(table, "churn")

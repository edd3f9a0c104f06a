"""The features are chosen, and raw customers are encoded, with gaps and new categories."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from terna.errors import DataError, PhaseMissing
from terna.training import prepare
from terna.training.acquire import clean
from terna.training.prepare import (
    MAX_CATEGORIES,
    Features,
    build_pipeline,
    choose_features,
    model_inputs,
)
from tests.unit.training.lab import Lab, customers

ROWS = 100
CODES = [f"A{number}" for number in range(ROWS)]
SOME = ["a", "b"] * (ROWS // 2)


def fitted(table: pd.DataFrame, scaled: bool) -> tuple[Pipeline, Features]:
    features = choose_features(table.drop(columns="churn"))
    model = LogisticRegression(max_iter=1000) if scaled else DecisionTreeClassifier(random_state=0)
    return build_pipeline(features, model, scaled).fit(
        model_inputs(table, features), table["churn"]
    ), features


def encoded(cells: Sequence[str | None], asked: Sequence[str | None]) -> list[Any]:
    """Encode `asked` by a text column that was trained on `cells`."""
    table = clean(pd.DataFrame({"plan": cells, "churn": (SOME * 4)[: len(cells)]}), "churn")
    model, _ = fitted(table, scaled=False)
    encoding = model.named_steps["prepare"]
    return list(encoding.transform(pd.DataFrame({"plan": asked}, dtype="str")).tolist())


def skops_bytes(model: Pipeline) -> bytes:
    """Return all that a model's file holds, inflated."""
    with ZipFile(BytesIO(skops.io.dumps(model))) as file:
        return b"".join(map(file.read, file.namelist()))


def test_features_keep_the_order_of_the_table() -> None:
    calls = [number % 50 for number in range(ROWS)]
    table = pd.DataFrame({"plan": SOME, "calls": calls, "region": SOME, "new": [True, False] * 50})
    assert choose_features(table) == Features(
        numbers=("calls", "new"),
        texts=("plan", "region"),
        order=("plan", "calls", "region", "new"),
        categories=(("a", "b"), ("a", "b")),
    )


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        pytest.param([7] * ROWS, "one value only", id="a constant number"),
        pytest.param(["a"] * ROWS, "one value only", id="a constant text"),
        pytest.param([np.nan] * ROWS, "one value only", id="all missing"),
        pytest.param(CODES, "texts that seldom repeat", id="texts of one row each"),
        pytest.param([*CODES[1:], None], "texts that seldom repeat", id="with a gap"),
        pytest.param(list(range(ROWS)), "whole numbers that hardly ever repeat", id="numbers"),
        pytest.param(
            [f"A{i % 50}" for i in range(ROWS)], "no value is shared by 10 customers", id="pairs"
        ),
    ],
)
def test_identifiers_and_constants_are_left_out(cells: list[Any], why: str) -> None:
    features = choose_features(pd.DataFrame({"dropped": cells, "plan": SOME}))
    assert features.order == ("plan",)
    (line,) = features.left_out
    assert line.startswith(f"dropped: {why}")


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param([i / 7 for i in range(ROWS)], id="a measurement"),
        pytest.param([None, *["a"] * (ROWS - 1)], id="whether it is known may say something"),
        pytest.param([f"A{i % 10}" for i in range(ROWS)], id="texts that ten customers share"),
    ],
)
def test_informative_column_is_kept(cells: list[Any]) -> None:
    assert choose_features(pd.DataFrame({"kept": cells})).order == ("kept",)


def test_identifier_is_kept_when_it_is_allowed(tmp_path: Path) -> None:
    table = customers().assign(number=range(160))
    lab = Lab(tmp_path)
    lab.prepare(table)
    assert "number" not in Features.read(lab.workspace).order
    assert "left out number: whole numbers that hardly ever repeat" in lab.reporter.said[-1]
    assert "`--allow-identifier number` keeps it" in lab.reporter.said[-1]
    lab.prepare(table, allowed_identifiers=("number",))
    assert "number" in Features.read(lab.workspace).order


def test_no_feature_left_raises_data_error() -> None:
    with pytest.raises(DataError, match="No column is left to learn from"):
        choose_features(pd.DataFrame({"id": CODES, "country": ["SI"] * ROWS}))


def test_holdout_does_not_change_features(tmp_path: Path) -> None:
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


def test_left_out_columns_are_reported_and_features_logged(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.prepare(customers().assign(country="SI"))
    assert "left out country: one value only" in lab.reporter.said[-1]
    assert lab.main_run.params["features"] == 4


def test_prepare_before_acquire_names_acquire(tmp_path: Path) -> None:
    with pytest.raises(PhaseMissing, match="terna acquire"):
        prepare.run(Lab(tmp_path).session)


@pytest.mark.parametrize("scaled", [False, True])
def test_missing_values_and_new_categories_are_predicted(scaled: bool) -> None:
    model, features = fitted(clean(customers(), "churn"), scaled)
    asked = clean(
        customers(20, seed=1).assign(plan="satellite", region=None, minutes=np.nan), "churn"
    )
    asked["calls"] = np.nan
    assert set(model.predict(model_inputs(asked, features))) <= {"yes", "no"}


def test_new_category_is_encoded_as_zeros() -> None:
    assert encoded(["a", "b"] * 10, ["a", "b", "c"]) == [[1, 0], [0, 1], [0, 0]]


def test_missing_value_is_a_category_when_enough_customers_lack_it() -> None:
    assert encoded(["a", None] * 10, ["a", None]) == [[1, 0], [0, 1]]
    assert encoded(["a", "b"] * 10, [None]) == [[0, 0]]
    assert encoded([*["a"] * 20, None], ["a", None]) == [[1], [0]]


def test_category_of_fewer_than_ten_customers_is_encoded_as_one_never_seen() -> None:
    cells = [*["a"] * 50, *["b"] * 10, *["rare"] * 9]
    assert encoded(cells, ["a", "b", "rare", "never seen"]) == [[1, 0], [0, 1], [0, 0], [0, 0]]


def test_at_most_thirty_categories_are_kept_apart() -> None:
    cells = [f"A{i}" for i in range(MAX_CATEGORIES)] * 11 + ["B"] * 10
    (frequent, less) = encoded(cells, ["A1", "B"])
    assert len(frequent) == MAX_CATEGORIES
    assert (sum(frequent), sum(less)) == (1, 0)


@pytest.mark.parametrize("scaled", [False, True])
def test_fitted_pipeline_holds_no_category_of_fewer_than_ten_customers(scaled: bool) -> None:
    cells = [*["common"] * 60, *["Rosalind"] * 9, *["Gertrude"] * 9]
    table = clean(pd.DataFrame({"plan": cells, "churn": SOME[:78]}), "churn")
    content = skops_bytes(fitted(table, scaled)[0])
    assert b"common" in content
    assert b"Rosalind" not in content
    assert b"Gertrude" not in content


def test_numbers_are_scaled_only_on_request() -> None:
    table = clean(pd.DataFrame({"calls": [0, 1000] * 50, "churn": SOME}), "churn")
    for scaled, expected in ((False, {0, 1000}), (True, {-1, 1})):
        model, features = fitted(table, scaled)
        seen = model.named_steps["prepare"].transform(model_inputs(table, features))
        assert set(np.unique(seen)) == expected

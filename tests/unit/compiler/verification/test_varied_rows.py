"""Varied rows are unlike the reference rows, and parsed group by group."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from terna.compiler.compile import compile_model
from terna.compiler.ir.features import UNKNOWN_CATEGORY
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.verification.varied_rows import varied_rows, with_cell
from tests.unit.compiler.models import as_loaded, customers, fitted, rows_of

pytestmark = pytest.mark.filterwarnings("ignore:Found unknown categories")


@pytest.fixture(scope="module")
def compiled() -> CompiledModel:
    boosting = HistGradientBoostingClassifier(max_iter=5, random_state=0)
    return compile_model(as_loaded(fitted(boosting), customers()))


@pytest.fixture
def groups(compiled: CompiledModel) -> list[list[Any]]:
    random = np.random.default_rng(0)
    return [list(map(list, g)) for g in varied_rows(compiled, rows_of(customers(30)), random)]


def test_every_group_is_parsed_as_a_whole(compiled: CompiledModel, groups: list[list[Any]]) -> None:
    assert all(compiled.predict_rows(group) is not None for group in groups)


def test_varied_rows_hold_extreme_unknown_and_missing_cells(groups: list[list[Any]]) -> None:
    rows = [row for group in groups for row in group]

    assert {0.0, -(2.0**53), 5e-324} <= {row[0] for row in rows if row[0] is not None}
    assert {UNKNOWN_CATEGORY, None} <= {row[1] for row in rows}
    assert None in {row[0] for row in rows}


def test_shuffled_columns_keep_their_cells(groups: list[list[Any]]) -> None:
    shuffled, reference = groups[0], rows_of(customers(30))

    assert shuffled != reference
    assert sorted(row[2] for row in shuffled) == sorted(row[2] for row in reference)


def test_text_columns_are_missing_in_a_whole_group(groups: list[list[Any]]) -> None:
    assert {row[1] for row in groups[-2]} == {None}
    assert {row[4] for row in groups[-1]} == {None}


def test_with_cell_replaces_one_cell_of_a_copy() -> None:
    row = [1, 2, 3]

    assert with_cell(row, 1, None) == [1, None, 3]
    assert row == [1, 2, 3]

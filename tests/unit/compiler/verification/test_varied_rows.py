"""Varied rows are unlike the reference rows, and parsed group by group."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from terna.compiler.compile import compile_model
from terna.compiler.ir.features import UNKNOWN_CATEGORY
from terna.compiler.ir.plan import Column, Linear, Lookup, Number, Plan, Postprocessor, Value
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.verification.varied_rows import (
    GROUP_CELLS,
    NULL_GROUPS,
    varied_rows,
    with_cell,
)
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
    shuffled, reference = groups[0][:30], rows_of(customers(30))

    assert shuffled != reference
    assert sorted(row[2] for row in shuffled) == sorted(row[2] for row in reference)


def test_text_columns_are_missing_in_a_whole_group(groups: list[list[Any]]) -> None:
    assert {row[1] for row in groups[-2]} == {None}
    assert {row[4] for row in groups[-1]} == {None}


@pytest.mark.parametrize("data_type", ["double", "string"])
def test_groups_of_many_columns_have_few_cells_and_vary_every_column(data_type: str) -> None:
    cells: dict[str, Number | Lookup] = {
        "double": Number((np.nan,), True),
        "string": Lookup([("a", (1.0,))], (2.0,), (3.0,), None),
    }
    columns = [Column(f"c{n}", data_type, 1, cells[data_type]) for n in range(3000)]
    plan = Plan("", columns, [], linear(len(columns)), Postprocessor("identity"), Value())
    row = [0.5 if data_type == "double" else "a"] * len(columns)

    found = list(varied_rows(CompiledModel(plan), [row] * 100, np.random.default_rng(0)))

    assert len(found) <= 2 + NULL_GROUPS
    assert all(len(group) * len(columns) <= 3 * GROUP_CELLS for group in found)
    rows = [row for group in found for row in group]
    assert all(None in column for column in zip(*rows, strict=True))


def linear(count: int) -> Linear:
    slots, coefficients = np.arange(count, dtype="<i8"), np.ones(count)
    return Linear(slots.tobytes(), coefficients.tobytes(), (0.0,))


def test_with_cell_replaces_one_cell_of_a_copy() -> None:
    row = [1, 2, 3]

    assert with_cell(row, 1, None) == [1, None, 3]
    assert row == [1, 2, 3]

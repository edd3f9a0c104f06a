"""Boundary rows lie on either side of every split."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from terna.compiler.compile import compile_model
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.verification.boundary_rows import BoundaryRows
from tests.unit.compiler.models import as_loaded, customers, fitted, rows_of

pytestmark = pytest.mark.filterwarnings("ignore:Found unknown categories")


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "scaled"])
def compiled(request: pytest.FixtureRequest) -> CompiledModel:
    forest = RandomForestClassifier(10, max_depth=4, random_state=0)
    return compile_model(as_loaded(fitted(forest, scaled=request.param), customers()))


def boundary_rows(compiled: CompiledModel, size: int = 10**6) -> list[Any]:
    batches = BoundaryRows(compiled.plan).batches(rows_of(customers(20)), size)
    return [row for batch, _ in batches for row in batch]


def test_every_boundary_row_is_parsed(compiled: CompiledModel) -> None:
    rows = boundary_rows(compiled)

    assert len(rows) > 100
    assert compiled.predict_rows(rows) is not None


def test_each_boundary_has_a_cell_and_the_next_larger_one(compiled: CompiledModel) -> None:
    cells = {row[0] for row in boundary_rows(compiled) if row[0] is not None}

    adjacent = [cell for cell in cells if float(np.nextafter(cell, np.inf)) in cells]
    assert len(adjacent) > 10


def test_one_split_separates_the_two_rows_that_it_makes() -> None:
    table = customers(missing=False)[["minutes"]]
    tree = RandomForestClassifier(1, max_depth=1, bootstrap=False, random_state=0)
    labels = np.where(table["minutes"] > 100, "high", "low")
    compiled = compile_model(as_loaded(tree.fit(table, labels), table))

    low, high = sorted(row for row in boundary_rows_of(compiled) if row[0] is not None)

    assert high[0] == np.nextafter(low[0], np.inf)
    assert compiled.predict_rows([low, high]) == ["low", "high"]


def boundary_rows_of(compiled: CompiledModel) -> list[Any]:
    return [row for batch, _ in BoundaryRows(compiled.plan).batches([[1.0]], 9) for row in batch]


def test_batches_tell_how_many_trees_are_done(compiled: CompiledModel) -> None:
    boundaries = BoundaryRows(compiled.plan)

    done = [count for _, count in boundaries.batches(rows_of(customers(20)), size=1)]

    assert done == sorted(done)
    assert set(done) == set(range(len(boundaries.roots) + 1))

"""Trees are traversed as their splits say, and never beyond their arrays."""

from array import array
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from terna.compiler.ir.plan import TREES_PER_GROUP, Trees
from terna.compiler.ir.trees import Ensemble, Tree, float32_boundary
from terna.compiler.runtime.tree_traversal import CHUNK, FEW_ROWS, VISITS, TreeTraversal
from terna.compiler.tree_layout import lay_out_trees

replaced: Any = msgspec.structs.replace
SLOTS = 2
STUMP = Tree(
    feature=np.array([0, -1, -1]),
    threshold=np.array([1.5, 0, 0]),
    left=np.array([1, -1, -1]),
    right=np.array([2, -1, -1]),
    missing_left=np.array([False, False, False]),
    values=np.array([[0.0], [10.0], [20.1]]),
)


@pytest.fixture
def trees() -> Trees:
    """Three trees of one split each, whose sums start from 1."""
    return lay_out_trees(Ensemble([STUMP] * 3, (1.0,), True), lambda feature, _: feature, zero=1)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [(1.5, 31.0), (float(np.nextafter(1.5, 2)), 61.3), (np.nan, 61.3), (-np.inf, 31.0)],
)
def test_sum_is_of_the_leaves_that_a_row_reaches(
    trees: Trees, cell: float, expected: float
) -> None:
    assert TreeTraversal(trees, SLOTS).sums(array("d", [cell, 0.0]))[0] == pytest.approx(expected)


@pytest.mark.parametrize("count", [0, 1, FEW_ROWS, FEW_ROWS + 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_any_number_of_rows_has_one_sum_each(trees: Trees, count: int) -> None:
    cells = array(
        "d", [number % 2 + 1.0 if slot == 0 else 0.0 for number in range(count) for slot in (0, 1)]
    )

    sums = TreeTraversal(trees, SLOTS).sums(cells)

    assert list(sums) == pytest.approx([61.3 if number % 2 else 31.0 for number in range(count)])


def test_sums_in_float32_are_rounded_at_each_addition(trees: Trees) -> None:
    rounded = TreeTraversal(replaced(trees, sums_in_float32=True), SLOTS)
    expected = np.float32(1)
    for _ in range(3):
        expected += np.float32(20.1)

    assert rounded.sums(array("d", [2.0, 0.0]))[0] == pytest.approx(float(expected), rel=1e-7)


@pytest.mark.parametrize("threshold", [1.5, 0.1])
@pytest.mark.parametrize("in_float32", [True, False])
def test_rows_one_bit_beside_the_threshold_go_as_they_should(
    threshold: float, in_float32: bool
) -> None:
    exact = np.array([float32_boundary(np.array([threshold]))[0] if in_float32 else threshold])
    tree = replace(STUMP, threshold=np.array([exact[0], 0, 0]))
    trees = lay_out_trees(Ensemble([tree], (0.0,), True), lambda feature, _: feature, zero=1)
    below, above = exact[0], np.nextafter(exact[0], np.inf)

    sums = TreeTraversal(trees, SLOTS).sums(array("d", [below, 0.0, above, 0.0]))

    assert trees.cells_in_float32 == in_float32
    assert list(sums) == [10.0, 20.1]


def test_rows_that_several_threads_share_have_the_sums_that_they_have_alone(trees: Trees) -> None:
    count = VISITS // TREES_PER_GROUP + CHUNK
    random = np.random.default_rng(0)
    cells = np.column_stack([random.normal(1.5, 1, count), np.zeros(count)])
    expected = np.where(cells[:, 0] <= 1.5, 31.0, 1 + 20.1 + 20.1 + 20.1)

    sums = TreeTraversal(trees, SLOTS).sums(array("d", cells.tobytes()))

    assert np.array_equal(np.array(sums), expected)

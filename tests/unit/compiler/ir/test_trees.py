"""Trees as frontends describe them."""

import numpy as np
import pytest

from terna.compiler.ir.trees import Ensemble, Tree, float32_boundary

SPLIT = Tree(
    feature=np.array([3, -1, -1]),
    threshold=np.array([0.5, 0, 0]),
    left=np.array([1, -1, -1]),
    right=np.array([2, -1, -1]),
    missing_left=np.array([True, False, False]),
    values=np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]]),
)


@pytest.mark.parametrize("threshold", [0.0, 0.1, -0.1, 1.0, 1e-40, 3.4e38, -7.25])
def test_float32_boundary_is_the_largest_double_that_rounds_to_at_most_the_threshold(
    threshold: float,
) -> None:
    thresholds = np.array([threshold])

    boundary = float32_boundary(thresholds)

    assert (boundary.astype(np.float32) <= thresholds).all()
    assert (np.nextafter(boundary, np.inf).astype(np.float32) > thresholds).all()


def test_splits_are_of_inner_nodes_only() -> None:
    assert Ensemble([SPLIT], (0.0, 0.0), takes_missing=True).splits() == {(3, True)}


def test_only_sum_keeps_one_column_of_the_leaves() -> None:
    kept = Ensemble([SPLIT], (5.0, 6.0), takes_missing=True, sums_in_float32=True).only_sum(1)

    assert kept.base_scores == (6.0,)
    assert kept.sums_in_float32
    assert kept.trees[0].values.tolist() == [[0.0], [2.0], [4.0]]

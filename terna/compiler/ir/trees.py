"""Fitted trees, as every frontend describes them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Tree:
    """One fitted tree; a row goes left where `feature <= threshold`. Its root is node 0."""

    feature: Array
    """int, shape (nodes,)."""
    threshold: Array
    """float64, shape (nodes,)."""
    left: Array
    """int, shape (nodes,): the left child, negative at leaves."""
    right: Array
    missing_left: Array
    """bool, shape (nodes,): whether a missing value goes left."""
    values: Array
    """float64, shape (nodes, width): what a leaf adds to the sums from `target` on."""
    target: int = 0

    @property
    def inner(self) -> Array:
        """The numbers of the nodes that are no leaves."""
        return np.flatnonzero(self.left >= 0)


@dataclass(frozen=True)
class Ensemble:
    """Trees whose leaves' values are added to the base scores, in this order."""

    trees: Sequence[Tree]
    base_scores: tuple[float, ...]
    takes_missing: bool
    sums_in_float32: bool = False
    """See `plan.Trees.sums_in_float32`."""

    def splits(self) -> set[tuple[int, bool]]:
        """Return the features that are split on, each with whether a missing value goes left."""
        found = [
            np.unique(np.column_stack([t.feature, t.missing_left])[t.inner], axis=0)
            for t in self.trees
        ]
        return {(int(f), bool(left)) for part in found for f, left in part}

    def only_sum(self, index: int) -> "Ensemble":
        """Return the trees with one sum of theirs, of trees that add to all sums."""
        kept = slice(index, index + 1)
        trees = [replace(tree, values=tree.values[:, kept], target=0) for tree in self.trees]
        return replace(self, trees=trees, base_scores=self.base_scores[kept])


def float32_boundary(threshold: Array) -> Array:
    """Return the largest doubles that round to a float32 of at most `threshold`.

    Where the model's library rounds a cell to float32 before it compares, comparing the cell
    itself with this gives the same.
    """
    below = _float32_at_most(threshold)
    above = np.nextafter(below, np.float32(np.inf))
    middle = (below.astype(np.float64) + above.astype(np.float64)) / 2
    to_even = below.view(np.int32) & 1 == 0  # the middle itself rounds to the even one
    return np.where(to_even, middle, np.nextafter(middle, -np.inf))


def _float32_at_most(numbers: Array) -> Array:
    with np.errstate(over="ignore"):
        nearest = numbers.astype(np.float32)
    return np.where(nearest > numbers, np.nextafter(nearest, np.float32(-np.inf)), nearest)

"""Fitted trees, as every frontend describes them."""

from collections.abc import Sequence
from dataclasses import dataclass
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
    """bool, shape (nodes,)."""
    values: Array
    """float64, shape (nodes, width): what a leaf adds to the outputs from `target` on."""
    target: int = 0

    @property
    def inner(self) -> Array:
        return np.flatnonzero(self.left >= 0)


@dataclass(frozen=True)
class Ensemble:
    """Trees whose leaves' values are added up, in this order, from the baseline on."""

    trees: Sequence[Tree]
    baseline: tuple[float, ...]
    takes_missing: bool
    narrow: bool = False
    """See `plan.Trees.narrow`."""

    def splits(self) -> set[tuple[int, bool]]:
        """The features that are compared, and where a missing one goes: left where True."""
        found = [
            np.unique(np.column_stack([t.feature, t.missing_left])[t.inner], axis=0)
            for t in self.trees
        ]
        return {(int(f), bool(left)) for part in found for f, left in part}

    def output(self, number: int) -> "Ensemble":
        """Only one of the outputs, for trees that add to all of them."""
        kept = slice(number, number + 1)
        trees = [
            Tree(t.feature, t.threshold, t.left, t.right, t.missing_left, t.values[:, kept])
            for t in self.trees
        ]
        return Ensemble(trees, self.baseline[kept], self.takes_missing, self.narrow)


def rounding_up(threshold: Array) -> Array:
    """The largest doubles that round to a float32 of at most `threshold`.

    Where the original rounds a cell to float32 before it compares, comparing the cell itself with
    this gives the same.
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

"""Lays fitted trees out in the arrays that the runtime traverses."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir import plan
from terna.compiler.ir.nodes import Nodes, pack
from terna.compiler.ir.plan import TREES_PER_GROUP
from terna.compiler.ir.trees import Ensemble, Tree

Array = NDArray[Any]
SlotOf = Callable[[int, bool], int]
"""Feature, and whether a missing value goes left → the slot that is compared."""


def lay_out_trees(ensemble: Ensemble, slot_of: SlotOf, zero: int) -> plan.Trees:
    """Return all trees in one array of nodes, children side by side.

    Args:
        zero: the slot that is always 0, for leaves to compare.
    """
    trees = ensemble.trees
    starts = np.cumsum([0] + [len(tree.left) for tree in trees])
    stump = len(trees) and int(starts[-1])  # fills the last group up: adds nothing
    left, slots = np.arange(stump + 1), np.full(stump + 1, zero)
    thresholds = np.zeros(stump + 1)
    values = np.zeros((stump + 1, trees[0].values.shape[1]))
    for tree, start in zip(trees, starts, strict=False):
        position, inner = _preorder(tree) + start, tree.inner
        values[position] = np.where(tree.left[:, None] >= 0, 0, tree.values)
        thresholds[position[inner]] = tree.threshold[inner]
        slots[position[inner]] = _slots(tree, slot_of)
        left[position[inner]] = position[tree.left[inner]]
    distinct, leaf = np.unique(values, axis=0, return_inverse=True)
    nodes, in_float32 = pack(Nodes(thresholds, slots, left, leaf), zero)
    return plan.Trees(
        nodes=nodes,
        cells_in_float32=in_float32,
        leaf_values=distinct.astype("<f8").tobytes(),
        roots=_padded(starts[:-1], stump).astype("<i4").tobytes(),
        targets=_padded([tree.target for tree in trees], 0).astype("<i4").tobytes(),
        leaf_width=values.shape[1],
        base_scores=ensemble.base_scores,
        sums_in_float32=ensemble.sums_in_float32,
    )


def _preorder(tree: Tree) -> Array:
    """Return each node's new number: children side by side, then all below the larger one.

    More rows go the way of the larger subtree, so most ways lead forward in memory, where the
    processor has read already: a row costs a third less where nothing is in its caches.
    """
    levels = list(_splits_by_level(tree))
    sizes = np.ones(len(tree.left), np.int64)
    for level in reversed(levels):
        sizes[level] += sizes[tree.left[level]] + sizes[tree.right[level]]
    position, below = np.zeros_like(sizes), np.ones_like(sizes)
    for level in levels:
        left, right, first = tree.left[level], tree.right[level], below[level]
        position[left], position[right] = first, first + 1
        larger, smaller = np.where(sizes[left] >= sizes[right], (left, right), (right, left))
        below[larger], below[smaller] = first + 2, first + 1 + sizes[larger]
    return position


def _splits_by_level(tree: Tree) -> Iterator[Array]:
    """Yield the nodes with children, the root first, then those of each level below it."""
    level = np.zeros(1, np.int64)
    while (level := level[tree.left[level] >= 0]).size:
        yield level
        level = np.concatenate([tree.left[level], tree.right[level]])


def _slots(tree: Tree, slot_of: SlotOf) -> list[int]:
    splits = zip(tree.feature[tree.inner], tree.missing_left[tree.inner], strict=True)
    return [slot_of(int(feature), bool(left)) for feature, left in splits]


def _padded(numbers: Sequence[int] | Array, filler: int) -> Array:
    """Return the numbers, filled up to whole groups of trees."""
    missing = -len(numbers) % TREES_PER_GROUP
    return np.concatenate([np.asarray(numbers, np.int64), np.full(missing, filler)])

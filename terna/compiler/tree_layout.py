"""Fitted trees, laid out to be walked."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir import plan
from terna.compiler.ir.plan import LANES, NODE
from terna.compiler.ir.trees import Ensemble, Tree

Array = NDArray[Any]
SlotOf = Callable[[int, bool], int]
"""Feature, and whether a missing one goes left → the slot that is compared."""


def lay_out(ensemble: Ensemble, slot: SlotOf, zero: int) -> plan.Trees:
    """All trees in one array of nodes, children side by side; `zero` is the slot that is 0."""
    trees = ensemble.trees
    starts = np.cumsum([0] + [len(tree.left) for tree in trees])
    stump = len(trees) and int(starts[-1])  # fills the last group up: adds nothing
    nodes = np.zeros(stump + 1, NODE)
    values = np.zeros((stump + 1, trees[0].values.shape[1]))
    nodes[stump] = np.inf, zero, stump
    for tree, start in zip(trees, starts, strict=False):
        place = _places(tree) + start
        nodes[place] = _leaves(place, zero)
        inner = tree.inner
        nodes["threshold"][place[inner]] = tree.threshold[inner]
        nodes["slot"][place[inner]] = _slots(tree, slot)
        nodes["left"][place[inner]] = place[tree.left[inner]]
        values[place] = np.where(tree.left[:, None] >= 0, 0, tree.values)
    distinct, leaf = np.unique(values, axis=0, return_inverse=True)
    return plan.Trees(
        nodes=nodes.tobytes(),
        leaf=leaf.astype("<i4").tobytes(),
        values=distinct.astype("<f8").tobytes(),
        roots=_grouped(starts[:-1], stump).astype("<i4").tobytes(),
        targets=_grouped([tree.target for tree in trees], 0).astype("<i4").tobytes(),
        depths=_grouped([_depth(t) for t in trees], 0)
        .reshape(-1, LANES)
        .max(axis=1)
        .astype("<i4")
        .tobytes(),
        width=values.shape[1],
        baseline=ensemble.baseline,
        narrow=ensemble.narrow,
    )


def _places(tree: Tree) -> Array:
    """Where each node goes: the root first, then pair by pair."""
    place = np.zeros(len(tree.left), np.int64)
    pair = 1 + 2 * np.arange(len(tree.inner))
    place[tree.left[tree.inner]] = pair
    place[tree.right[tree.inner]] = pair + 1
    return place


def _leaves(place: Array, zero: int) -> Array:
    leaves = np.zeros(len(place), NODE)
    leaves["threshold"], leaves["slot"], leaves["left"] = np.inf, zero, place
    return leaves


def _slots(tree: Tree, slot: SlotOf) -> list[int]:
    splits = zip(tree.feature[tree.inner], tree.missing_left[tree.inner], strict=True)
    return [slot(int(feature), bool(left)) for feature, left in splits]


def _depth(tree: Tree) -> int:
    level, depth = np.zeros(1, np.int64), 0
    while (level := level[tree.left[level] >= 0]).size:
        level = np.concatenate([tree.left[level], tree.right[level]])
        depth += 1
    return depth


def _grouped(numbers: Sequence[int] | Array, filler: int) -> Array:
    missing = -len(numbers) % LANES
    return np.concatenate([np.asarray(numbers, np.int64), np.full(missing, filler)])

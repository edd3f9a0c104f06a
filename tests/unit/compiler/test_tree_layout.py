"""Trees in the arrays that the runtime traverses."""

import numpy as np

from terna.compiler.ir.plan import NODE, TREES_PER_GROUP
from terna.compiler.ir.trees import Ensemble, Tree
from terna.compiler.tree_layout import lay_out_trees

ZERO = 7
TREE = Tree(  # the right child is the node that comes first
    feature=np.array([0, -1, 1, -1, -1]),
    threshold=np.array([0.5, 0, 1.5, 0, 0]),
    left=np.array([2, -1, 4, -1, -1]),
    right=np.array([1, -1, 3, -1, -1]),
    missing_left=np.zeros(5, bool),
    values=np.array([[0.0], [1.0], [0.0], [2.0], [1.0]]),
    target=0,
)


def test_right_child_lies_beside_the_left_one() -> None:
    trees = lay_out_trees(Ensemble([TREE], (0.0,), True), lambda feature, _: feature, ZERO)
    nodes = np.frombuffer(trees.nodes, NODE)
    inner = nodes["left"] != np.arange(len(nodes))

    assert nodes["threshold"][inner].tolist() == [0.5, 1.5]
    left = nodes["left"][0]
    assert nodes["threshold"][left] == 1.5
    assert np.isposinf(nodes["threshold"][left + 1])


def test_leaves_are_their_own_left_child_and_compare_the_zero() -> None:
    trees = lay_out_trees(Ensemble([TREE], (0.0,), True), lambda feature, _: feature, ZERO)
    nodes = np.frombuffer(trees.nodes, NODE)
    leaves = nodes[np.isposinf(nodes["threshold"])]

    assert (leaves["left"] == np.flatnonzero(np.isposinf(nodes["threshold"]))).all()
    assert (leaves["slot"] == ZERO).all()


def test_equal_leaves_share_their_values() -> None:
    trees = lay_out_trees(Ensemble([TREE], (0.0,), True), lambda feature, _: feature, ZERO)

    assert np.frombuffer(trees.leaf_values).tolist() == [0.0, 1.0, 2.0]


def test_last_group_is_filled_up_with_a_tree_that_adds_nothing() -> None:
    trees = lay_out_trees(Ensemble([TREE] * 9, (0.0,), True), lambda feature, _: feature, ZERO)
    roots = np.frombuffer(trees.roots, "<i4")

    assert len(roots) == 2 * TREES_PER_GROUP
    assert np.frombuffer(trees.depths, "<i4").tolist() == [2, 2]
    filler = np.frombuffer(trees.leaf_index, "<i4")[roots[9]]
    assert np.frombuffer(trees.leaf_values)[filler] == 0

"""Trees in the arrays that the runtime traverses."""

import numpy as np

from terna.compiler.ir.nodes import Nodes, unpack
from terna.compiler.ir.plan import TREES_PER_GROUP, Trees
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


def lay_out(count: int = 1) -> tuple[Trees, Nodes]:
    trees = lay_out_trees(Ensemble([TREE] * count, (0.0,), True), lambda feature, _: feature, ZERO)
    return trees, unpack(trees.nodes, trees.cells_in_float32, ZERO)


def test_right_child_lies_beside_the_left_one() -> None:
    _, nodes = lay_out()
    left = nodes.left[0]

    assert nodes.threshold[[0, left]].tolist() == [0.5, 1.5]
    assert nodes.left[left + 1] == left + 1


def test_leaves_are_their_own_left_child_and_compare_the_zero() -> None:
    _, nodes = lay_out()
    leaves = np.flatnonzero(nodes.left == np.arange(len(nodes.left)))

    assert len(leaves) == 4
    assert (nodes.slot[leaves] == ZERO).all()


def test_children_come_after_their_parents_whatever_their_numbers() -> None:
    backwards = Tree(
        feature=np.array([0, -1, -1, 1, -1]),
        threshold=np.array([0.5, 0, 0, 1.5, 0]),
        left=np.array([3, -1, -1, 2, -1]),
        right=np.array([4, -1, -1, 1, -1]),
        missing_left=np.zeros(5, bool),
        values=np.zeros((5, 1)),
    )
    trees = lay_out_trees(Ensemble([backwards], (0.0,), True), lambda feature, _: feature, ZERO)
    nodes = unpack(trees.nodes, trees.cells_in_float32, ZERO)

    assert (nodes.left[:2] > np.arange(2)).all()


def test_children_of_the_larger_subtree_come_first() -> None:
    larger_at_right = Tree(
        feature=np.array([0, 1, 2, -1, -1, 3, -1, -1, -1]),
        threshold=np.array([0.5, 1.5, 2.5, 0, 0, 3.5, 0, 0, 0]),
        left=np.array([1, 3, 5, -1, -1, 7, -1, -1, -1]),
        right=np.array([2, 4, 6, -1, -1, 8, -1, -1, -1]),
        missing_left=np.zeros(9, bool),
        values=np.zeros((9, 1)),
    )
    ensemble = Ensemble([larger_at_right], (0.0,), True)
    trees = lay_out_trees(ensemble, lambda feature, _: feature, ZERO)
    nodes = unpack(trees.nodes, trees.cells_in_float32, ZERO)

    assert nodes.left[:4].tolist() == [1, 7, 3, 5]


def test_equal_leaves_share_their_values() -> None:
    trees = lay_out_trees(Ensemble([TREE], (0.0,), True), lambda feature, _: feature, ZERO)

    assert np.frombuffer(trees.leaf_values).tolist() == [0.0, 1.0, 2.0]


def test_last_group_is_filled_up_with_a_tree_that_adds_nothing() -> None:
    trees, nodes = lay_out(TREES_PER_GROUP + 1)
    roots = np.frombuffer(trees.roots, "<i4")

    assert len(roots) == 2 * TREES_PER_GROUP
    filler = roots[TREES_PER_GROUP + 1]
    assert nodes.left[filler] == filler
    assert np.frombuffer(trees.leaf_values)[nodes.leaf[filler]] == 0

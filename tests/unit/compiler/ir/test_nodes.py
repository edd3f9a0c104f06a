"""Nodes are packed without a change of what they say."""

import numpy as np
import pytest

from terna.compiler.ir.nodes import NODE, Nodes, pack, unpack
from terna.compiler.ir.trees import float32_boundary
from terna.errors import NotCompilable

ZERO = 5


def three_nodes(threshold: float) -> Nodes:
    """One split and its two leaves."""
    return Nodes(
        threshold=np.array([threshold, 0, 0]),
        slot=np.array([3, ZERO, ZERO]),
        left=np.array([1, 1, 2]),
        leaf=np.array([0, 7, 1]),
    )


@pytest.mark.parametrize(
    ("threshold", "size"),
    [
        (float(float32_boundary(np.array([0.1]))[0]), 8),
        (float(float32_boundary(np.array([-1e-40]))[0]), 8),
        (-np.inf, 8),
        (0.1, 16),
        (1e300, 16),
    ],
)
def test_unpacked_nodes_are_what_was_packed(threshold: float, size: int) -> None:
    nodes = three_nodes(threshold)

    content, in_float32 = pack(nodes, ZERO)
    again = unpack(content, in_float32, ZERO)

    assert NODE[in_float32].itemsize == size == len(content) // 3
    assert again.threshold[0] == threshold
    assert again.leaf[1:].tolist() == [7, 1]
    assert (again.slot == nodes.slot).all()
    assert (again.left == nodes.left).all()


def test_tree_too_large_for_its_links_is_not_compiled() -> None:
    nodes = three_nodes(0.5)._replace(slot=np.array([3, 2**30, 2**30]))

    with pytest.raises(NotCompilable, match="too large"):
        pack(nodes._replace(left=np.array([2, 1, 2])), 2**30)

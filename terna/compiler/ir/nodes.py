"""Packs the nodes of trees into as few bytes as their thresholds allow, and unpacks them.

A node is a threshold and a link: in its low bits the slot that is compared, in the others how many
nodes further on its left child lies; the right child lies beside that one. A leaf has the distance
0. It compares the slot that is always 0 with the bits of its place among the leaf values, which
are a tiny number or 0: so the traversal stays there.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir.trees import float32_boundary
from terna.errors import NotCompilable

Array = NDArray[Any]

NODE = {
    True: np.dtype([("threshold", "<f4"), ("link", "<u4")]),
    False: np.dtype([("threshold", "<f8"), ("link", "<u4"), ("unused", "<u4")]),
}
"""By whether cells are rounded to float32 first: as tree_traversal.ll has them."""


class Nodes(NamedTuple):
    """What nodes say; each array has the shape (nodes,)."""

    threshold: Array
    """float64: the largest cell that goes left; of no meaning at leaves."""
    slot: Array
    """int64: which of a row's slots is compared."""
    left: Array
    """int64: the left child; a leaf is its own."""
    leaf: Array
    """int64: a leaf's place among the leaf values; of no meaning at other nodes."""


def pack(nodes: Nodes, zero: int) -> tuple[bytes, bool]:
    """Return the nodes in bytes, and whether cells are to be rounded to float32 first.

    Args:
        zero: the slot that is always 0, and the last one.

    Raises:
        NotCompilable: a tree has so many nodes that a link cannot hold the distance.
    """
    at = np.arange(len(nodes.left))
    leaves, distance = nodes.left == at, nodes.left - at
    if (distance >> 32 - zero.bit_length()).any():
        raise NotCompilable("the trees are too large")
    in_float32 = _fit_float32(nodes.threshold[~leaves])
    packed = np.zeros(len(at), NODE[in_float32])
    packed["threshold"][~leaves] = nodes.threshold[~leaves]
    _bits(packed)[leaves] = nodes.leaf[leaves]
    packed["link"] = distance << zero.bit_length() | nodes.slot
    return packed.tobytes(), in_float32


def unpack(content: bytes, in_float32: bool, zero: int) -> Nodes:
    """Return what `pack` has packed.

    Raises:
        ValueError: the last node is incomplete.
    """
    packed = np.frombuffer(content, NODE[in_float32])
    threshold = packed["threshold"].astype(np.float64)
    link = packed["link"].astype(np.int64)
    at = np.arange(len(link))
    return Nodes(
        threshold=_boundary(threshold) if in_float32 else threshold,
        slot=link & (1 << zero.bit_length()) - 1,
        left=at + (link >> zero.bit_length()),
        leaf=_bits(packed).astype(np.int64),
    )


def _fit_float32(thresholds: Array) -> bool:
    """Return whether each threshold tells apart what rounding cells to float32 does not."""
    with np.errstate(over="ignore"):
        single = thresholds.astype(np.float32).astype(np.float64)
    return bool((_boundary(single) == thresholds).all())


def _boundary(thresholds: Array) -> Array:
    with np.errstate(over="ignore"):  # beside float32's largest is infinity
        return float32_boundary(thresholds)


def _bits(packed: Array) -> Array:
    """Return the thresholds as whole numbers, which can be written to."""
    threshold = packed["threshold"]
    return threshold.view(f"<i{threshold.dtype.itemsize}")

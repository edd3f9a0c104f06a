"""Traverses trees: calls the machine code that is made of tree_traversal.ll."""

import ctypes
import os
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from terna.compiler.ir.plan import TREES_PER_GROUP, Trees
from terna.compiler.runtime import machine_code

FEW_ROWS = 16
"""So few rows are done before another thread would have been given Python's lock."""
CHUNK = 512
"""Rows that stay in the processor's cache while all trees pass over them."""
VISITS = 2**18
"""How often a row meets a tree for each further thread: starting one has to pay."""

Traverse = Callable[[int, int, int, int], None]


class TreeTraversal:
    """The trees of one compiled model."""

    def __init__(self, trees: Trees, slots: int) -> None:
        """
        Args:
            trees: as `validation.validate` accepts them, which is not checked again.
            slots: the doubles a row has, the zero at its end included.
        """
        self.sums_per_row = len(trees.base_scores)
        self._slots = slots
        self._base_scores = array("d", trees.base_scores)
        self._kept = [
            ctypes.create_string_buffer(part, len(part))
            for part in (trees.nodes, trees.leaf_values, trees.roots, trees.targets)
        ]
        self._trees = len(trees.roots) // 4
        groups, in_float32 = self._trees // TREES_PER_GROUP, int(trees.sums_in_float32)
        sizes = [groups, trees.leaf_width, slots, self.sums_per_row, in_float32]
        addresses = map(ctypes.addressof, self._kept)
        self._forest = array("q", [*addresses, *sizes, (slots - 1).bit_length()])
        self._address = self._forest.buffer_info()[0]
        self._few, self._many = _functions("float32" if trees.cells_in_float32 else "float64")

    def sums(self, cells: "array[float]") -> "array[float]":
        """Return each row's sums one after another.

        Args:
            cells: each row's slots, which are overwritten.
        """
        count = len(cells) // self._slots
        sums = self._base_scores * count
        cell, total = cells.buffer_info()[0], sums.buffer_info()[0]
        if 0 < count <= FEW_ROWS:
            self._few(self._address, cell, count, total)
            return sums
        chunks = iter(range(0, count, CHUNK))

        def traverse_chunks() -> None:
            for first in chunks:  # each is taken by one thread only
                rows = min(CHUNK, count - first)
                at = cell + 8 * first * self._slots, rows, total + 8 * first * self.sums_per_row
                self._many(self._address, *at)

        _on_free_processors(traverse_chunks, self._trees * count // VISITS)
        return sums


def _on_free_processors(work: Callable[[], None], most: int) -> None:
    """Do work here, and in up to so many other threads that have nothing to do."""
    processors = len(os.sched_getaffinity(0)) - 1
    helpers = [_pool().submit(work) for _ in range(min(most, processors))]
    work()
    for helper in helpers:
        if not helper.cancel():
            helper.result()


@cache
def _pool() -> ThreadPoolExecutor:
    """Return the threads that all compiled models of this process share."""
    return ThreadPoolExecutor(max(1, len(os.sched_getaffinity(0)) - 1), "traversal")


os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not outlive a fork


@cache
def _functions(cells: str) -> tuple[Traverse, Traverse]:
    """Return the traversal twice: the first holds Python's lock, the second does not."""
    pointer, count = ctypes.c_void_p, ctypes.c_int64
    kinds: list[Any] = [ctypes.PYFUNCTYPE, ctypes.CFUNCTYPE]
    few, many = (
        kind(None, pointer, pointer, count, pointer)(machine_code.address(cells)) for kind in kinds
    )
    return few, many

"""Traverses trees: compiles tree_traversal.ll for this processor, once a process, and calls it."""

import ctypes
from array import array
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir.plan import NODE, TREES_PER_GROUP, Trees

FEW_ROWS = 16
"""So few rows are done before another thread would have been given Python's lock."""
CHUNK = 256
"""Rows that stay in the processor's cache while all trees pass over them."""

Traverse = Callable[[int, int, int, int], None]
_ENGINES: list[Any] = []
"""Kept for as long as the process: the compiled function lives in it."""


class TreeTraversal:
    """The trees of one compiled model."""

    def __init__(self, trees: Trees, slots: int) -> None:
        """
        Args:
            slots: the doubles a row has, the zero at its end included.

        Raises:
            ValueError: the trees would lead out of their arrays.
        """
        self.sums_per_row = len(trees.base_scores)
        self._slots = slots
        self._base_scores = array("d", trees.base_scores)
        arrays = _arrays(trees)
        _check_bounds(arrays, trees, slots)
        self._kept = [np.ascontiguousarray(part) for part in arrays.values()]
        addresses = [part.ctypes.data for part in self._kept]
        groups, in_float32 = len(arrays["depths"]), int(trees.sums_in_float32)
        sizes = [groups, trees.leaf_width, slots, self.sums_per_row, in_float32]
        self._forest = array("q", [*addresses, *sizes])
        self._address = self._forest.buffer_info()[0]
        self._few, self._many = _compiled_functions()

    def sums(self, cells: "array[float]") -> "array[float]":
        """Return each row's sums one after another; `cells` holds each row's slots."""
        count = len(cells) // self._slots
        sums = self._base_scores * count
        cell, total = cells.buffer_info()[0], sums.buffer_info()[0]
        if 0 < count <= FEW_ROWS:
            self._few(self._address, cell, count, total)
            return sums
        for first in range(0, count, CHUNK):
            rows = min(CHUNK, count - first)
            at = cell + 8 * first * self._slots, rows, total + 8 * first * self.sums_per_row
            self._many(self._address, *at)
        return sums


@cache
def _compiled_functions() -> tuple[Traverse, Traverse]:
    """Compile the function: the first of the two holds Python's lock, the second does not."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(Path(__file__).with_name("tree_traversal.ll").read_text())
    machine = llvm.Target.from_default_triple().create_target_machine(opt=2)
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.slp_vectorization = options.loop_vectorization = False  # gathers are slower here
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    _ENGINES.append(engine)
    address = engine.get_function_address("traverse")
    pointer, count = ctypes.c_void_p, ctypes.c_int64
    kinds: list[Any] = [ctypes.PYFUNCTYPE, ctypes.CFUNCTYPE]
    few, many = (kind(None, pointer, pointer, count, pointer)(address) for kind in kinds)
    return few, many


def _arrays(trees: Trees) -> dict[str, NDArray[Any]]:
    """Return the arrays in the order of `Forest` in tree_traversal.ll."""
    return {
        "nodes": np.frombuffer(trees.nodes, NODE),
        "leaf_index": np.frombuffer(trees.leaf_index, "<i4"),
        "leaf_values": np.frombuffer(trees.leaf_values, "<f8"),
        "roots": np.frombuffer(trees.roots, "<i4"),
        "targets": np.frombuffer(trees.targets, "<i4"),
        "depths": np.frombuffer(trees.depths, "<i4"),
    }


def _check_bounds(arrays: dict[str, NDArray[Any]], trees: Trees, slots: int) -> None:
    """Check that no array is read or written beyond its end, whatever the rows hold."""
    nodes, leaf_index, groups = arrays["nodes"], arrays["leaf_index"], len(arrays["depths"])
    leaves = len(arrays["leaf_values"]) // trees.leaf_width
    stays = (nodes["left"] == np.arange(len(nodes))) & np.isposinf(nodes["threshold"])
    stays &= nodes["slot"] == slots - 1
    last = len(nodes) - 1 - ~stays  # an inner node's right child lies beside the left one
    fits = (
        len(leaf_index) == len(nodes) > 0
        and groups > 0 < trees.leaf_width
        and len(arrays["roots"]) == len(arrays["targets"]) == TREES_PER_GROUP * groups
        and _within(nodes["slot"], 0, slots - 1)
        and _within(nodes["left"], 0, last)
        and _within(leaf_index, 0, leaves - 1)
        and _within(arrays["roots"], 0, len(nodes) - 1)
        and _within(arrays["targets"], 0, len(trees.base_scores) - trees.leaf_width)
    )
    if not fits:
        raise ValueError("the trees lead out of their arrays")


def _within(numbers: NDArray[Any], low: int, high: int | NDArray[Any]) -> bool:
    return bool(((low <= numbers) & (numbers <= high)).all())

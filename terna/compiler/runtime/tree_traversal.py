"""Trees at work: compiles walk.ll for this processor, once a process, and hands rows to it."""

import ctypes
from array import array
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir.plan import LANES, NODE, Trees

FEW = 16
"""So few rows are done before another thread would have noticed that it may run."""
CHUNK = 256
"""Rows that stay in the processor's cache while all trees pass over them."""

Walk = Callable[[int, int, int, int], None]
_ENGINES: list[Any] = []
"""Kept for as long as the process: the compiled function lives in it."""


class Walker:
    """The trees of one program."""

    def __init__(self, trees: Trees, slots: int) -> None:
        """`slots` is the doubles a row has, the zero at its end included.

        Raises:
            ValueError: the trees would lead out of their arrays.
        """
        self.outputs = len(trees.baseline)
        self._slots = slots
        self._baseline = array("d", trees.baseline)
        arrays = _arrays(trees)
        _check(arrays, trees, slots)
        self._kept = [np.ascontiguousarray(part) for part in arrays.values()]
        addresses = [part.ctypes.data for part in self._kept]
        groups, narrow = len(arrays["depths"]), int(trees.narrow)
        sizes = [groups, trees.width, slots, self.outputs, narrow]
        self._forest = array("q", [*addresses, *sizes])
        self._address = self._forest.buffer_info()[0]
        self._few, self._many = _walks()

    def sums(self, cells: "array[float]") -> "array[float]":
        """Each row's outputs one after another; `cells` holds its slots."""
        count = len(cells) // self._slots
        sums = self._baseline * count
        cell, total = cells.buffer_info()[0], sums.buffer_info()[0]
        if 0 < count <= FEW:
            self._few(self._address, cell, count, total)
            return sums
        for first in range(0, count, CHUNK):
            rows = min(CHUNK, count - first)
            at = cell + 8 * first * self._slots, rows, total + 8 * first * self.outputs
            self._many(self._address, *at)
        return sums


@cache
def _walks() -> tuple[Walk, Walk]:
    """The compiled function: the first way of calling it holds Python's lock, the second not."""
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
    address = engine.get_function_address("walk")
    pointer, count = ctypes.c_void_p, ctypes.c_int64
    kinds: list[Any] = [ctypes.PYFUNCTYPE, ctypes.CFUNCTYPE]
    few, many = (kind(None, pointer, pointer, count, pointer)(address) for kind in kinds)
    return few, many


def _arrays(trees: Trees) -> dict[str, NDArray[Any]]:
    """In the order of walk.ll."""
    return {
        "nodes": np.frombuffer(trees.nodes, NODE),
        "leaf": np.frombuffer(trees.leaf, "<i4"),
        "values": np.frombuffer(trees.values, "<f8"),
        "roots": np.frombuffer(trees.roots, "<i4"),
        "targets": np.frombuffer(trees.targets, "<i4"),
        "depths": np.frombuffer(trees.depths, "<i4"),
    }


def _check(arrays: dict[str, NDArray[Any]], trees: Trees, slots: int) -> None:
    """No array is read or written beyond its end, whatever the rows hold."""
    nodes, leaf, groups = arrays["nodes"], arrays["leaf"], len(arrays["depths"])
    leaves = len(arrays["values"]) // trees.width
    stays = (nodes["left"] == np.arange(len(nodes))) & np.isposinf(nodes["threshold"])
    stays &= nodes["slot"] == slots - 1
    last = len(nodes) - 1 - ~stays  # an inner node's right child lies beside the left one
    fits = (
        len(leaf) == len(nodes) > 0
        and groups > 0 < trees.width
        and len(arrays["roots"]) == len(arrays["targets"]) == LANES * groups
        and _within(nodes["slot"], 0, slots - 1)
        and _within(nodes["left"], 0, last)
        and _within(leaf, 0, leaves - 1)
        and _within(arrays["roots"], 0, len(nodes) - 1)
        and _within(arrays["targets"], 0, len(trees.baseline) - trees.width)
    )
    if not fits:
        raise ValueError("the trees lead out of their arrays")


def _within(numbers: NDArray[Any], low: int, high: int | NDArray[Any]) -> bool:
    return bool(((low <= numbers) & (numbers <= high)).all())

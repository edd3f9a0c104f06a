"""Rows on either side of every split of a program's trees, as a client would send them.

A walk from each root takes one row along. At a split, the row's cell becomes the largest one that
goes left, and for the other child the next larger one. Splits nest, so the row still gets to
where it is: two rows a split reach it and test its very last bit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir.features import UNKNOWN
from terna.compiler.ir.plan import NODE, Column, Number, Plan, Table, Trees, layout
from terna.compiler.runtime.preprocessing import STEPS
from terna.compiler.runtime.row_parsing import LARGEST
from terna.compiler.verification.varied_rows import with_cell

Array = NDArray[Any]
Row = list[Any]
Entry = tuple[Any, tuple[float, ...]]
AROUND = range(-8, 9)
"""How many doubles off undoing a step may be."""


class Boundaries:
    """The splits of one program."""

    def __init__(self, plan: Plan) -> None:
        assert isinstance(plan.engine, Trees)  # noqa: S101  # for mypy: callers have looked
        self._plan = plan
        nodes = np.frombuffer(plan.engine.nodes, NODE)
        self._threshold = nodes["threshold"].tolist()
        self._slot, self._left = nodes["slot"].tolist(), nodes["left"].tolist()
        stump = len(nodes) - 1
        self.roots = [r for r in np.frombuffer(plan.engine.roots, "<i4").tolist() if r != stump]
        self._place = [(c, k) for c in layout(plan.columns) for k in range(plan.columns[c].slots)]
        self._entries = {c: _entries(column) for c, column in enumerate(plan.columns)}
        self._float = [column.kind in ("double", "float") for column in plan.columns]
        self._steps = [(step.name, np.frombuffer(step.operand, "<f8")) for step in plan.steps]
        self._low, self._high = self._cells(nodes)

    def rows(self, bases: Sequence[Sequence[Any]], size: int) -> Iterator[tuple[list[Row], int]]:
        """Batches of about `size` rows, and how many trees are done with each.

        `bases` are rows to start from, one a tree.
        """
        batch: list[Row] = []
        for number, root in enumerate(self.roots, 1):
            batch += self._of_tree(root, list(bases[number % len(bases)]))
            if len(batch) >= size or number == len(self.roots):
                yield batch, number
                batch = []

    def _of_tree(self, root: int, base: Row) -> Iterator[Row]:
        stack = [_Place(root, base, {}, frozenset())]
        while stack:
            at = stack.pop()
            if self._left[at.node] == at.node:
                continue
            column, slot = self._place[self._slot[at.node]]
            cells = self._plan.columns[column].cells
            if isinstance(cells, Table):
                ways = self._by_category(at, column, slot)
            else:
                ways = self._by_number(at, column, slot, cells)
                if cells.nullable and self._float[column] and column not in at.strayed:
                    yield with_cell(at.row, column, None)
            yield from (way.row for way in ways)
            stack += ways

    def _by_number(self, at: "_Place", column: int, slot: int, cells: Number) -> list["_Place"]:
        """Left with the largest cell that goes there, right with the next larger one."""
        child, strays = self._left[at.node], at.strayed | {column}
        missing_left = cells.missing[slot] == -np.inf
        low, high = (with_cell(at.row, column, c[at.node]) for c in (self._low, self._high))
        return [
            _Place(child, low, at.entries, at.strayed if missing_left else strays),
            _Place(child + 1, high, at.entries, strays if missing_left else at.strayed),
        ]

    def _by_category(self, at: "_Place", column: int, slot: int) -> list["_Place"]:
        """Either way with a category that goes there, if one does that has come so far."""
        threshold, child = self._threshold[at.node], self._left[at.node]
        sides: tuple[list[Entry], list[Entry]] = [], []
        for entry in at.entries.get(column, self._entries[column]):
            sides[not entry[1][slot] <= threshold].append(entry)
        return [
            _Place(
                child + right,
                with_cell(at.row, column, side[0][0]),
                {**at.entries, column: side},
                at.strayed,
            )
            for right, side in enumerate(sides)
            if side
        ]

    def _cells(self, nodes: Array) -> tuple[list[Any], list[Any]]:
        """For each split on a number, the largest cell that goes left, and the next larger one."""
        low, high = (np.zeros(len(nodes), object) for _ in range(2))
        for slot, (number, _) in enumerate(self._place):
            column = self._plan.columns[number]
            here = np.flatnonzero(nodes["slot"] == slot)
            if isinstance(column.cells, Number) and here.size:
                low[here], high[here] = self._around(nodes["threshold"][here], column.kind, slot)
        return low.tolist(), high.tolist()

    def _around(self, thresholds: Array, kind: str, slot: int) -> tuple[Array, Array]:
        thresholds = np.clip(thresholds, -LARGEST[kind], LARGEST[kind] - 1)
        if kind == "boolean":
            return np.full(len(thresholds), False, object), np.full(len(thresholds), True, object)
        if kind in ("long", "integer"):
            whole = np.floor(self._undone(thresholds, slot)).astype(np.int64)
            return whole.astype(object), (whole + 1).astype(object)
        single = kind == "float"
        at = self._undone(thresholds, slot).astype(np.float32 if single else np.float64)
        tried = np.stack([_ulps(at, count) for count in AROUND])
        fits = self._done(tried.astype(np.float64), slot) <= thresholds
        last = np.maximum(fits.sum(axis=0) - 1, 0)
        low = np.take_along_axis(tried, last[None], 0)[0]
        return low.astype(np.float64), _ulps(low, 1).astype(np.float64)

    def _undone(self, cells: Array, slot: int) -> Array:
        """What gives these cells after the steps, but for rounding."""
        for name, operand in reversed(self._steps):
            cells = UNDONE[name](cells, operand[slot])
        return cells

    def _done(self, cells: Array, slot: int) -> Array:
        cells = cells.copy()
        for name, operand in self._steps:
            STEPS[name](cells, operand[slot])
        return cells


@dataclass(frozen=True)
class _Place:
    """A node, and what has come as far as there."""

    node: int
    row: Row
    entries: Mapping[int, Sequence[Entry]]
    """Of columns that were split on: the categories that have come so far."""
    strayed: frozenset[int]
    """The columns whose missing cells go elsewhere."""


def _entries(column: Column) -> list[Entry]:
    if isinstance(column.cells, Number):
        return []
    others = [(UNKNOWN, column.cells.unknown), (None, column.cells.missing)]
    others = others if column.kind == "string" else others[1:]
    return column.cells.known + [(cell, codes) for cell, codes in others if codes is not None]


def _ulps(numbers: Array, count: int) -> Array:
    towards = np.asarray(np.copysign(np.inf, count), numbers.dtype)
    for _ in range(abs(count)):
        numbers = np.nextafter(numbers, towards)
    return numbers


UNDONE: Mapping[str, Callable[[Array, Any], Array]] = {
    "fill": lambda cells, _: cells,
    "narrow": lambda cells, _: cells,
    "add": np.subtract,
    "subtract": np.add,
    "multiply": np.divide,
    "divide": np.multiply,
}

"""Makes rows on either side of every split of a compiled model's trees, as a client sends them.

The traversal of each tree takes one row along. At a split, the row's cell becomes the largest one
that goes left, and for the other child the next larger one. Splits nest, so the row still reaches
the node that it has come to: two rows a split reach it and test its very last bit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir.features import UNKNOWN_CATEGORY
from terna.compiler.ir.plan import NODE, Column, Lookup, Number, Plan, Trees, slot_order
from terna.compiler.runtime.preprocessing import OPERATIONS
from terna.compiler.runtime.row_parsing import LARGEST
from terna.compiler.verification.varied_rows import Row, with_cell
from terna.contracts.scoring import Rows

Array = NDArray[Any]
Category = tuple[Any, tuple[float, ...]]
"""A cell and what its slots hold."""
ULPS = range(-8, 9)
"""How many doubles off the inverse of a preprocessing step may be."""


class BoundaryRows:
    """The splits of one compiled model."""

    def __init__(self, plan: Plan) -> None:
        assert isinstance(plan.engine, Trees)  # noqa: S101  # for mypy: callers have looked
        self._plan = plan
        nodes = np.frombuffer(plan.engine.nodes, NODE)
        self._threshold = nodes["threshold"].tolist()
        self._slot, self._left = nodes["slot"].tolist(), nodes["left"].tolist()
        stump = len(nodes) - 1
        self.roots = [r for r in np.frombuffer(plan.engine.roots, "<i4").tolist() if r != stump]
        order = slot_order(plan.columns)
        self._column_slots = [(c, k) for c in order for k in range(plan.columns[c].slots)]
        self._categories = {c: _categories(column) for c, column in enumerate(plan.columns)}
        self._float = [column.data_type in ("double", "float") for column in plan.columns]
        self._steps = [(step.operation, np.frombuffer(step.operand, "<f8")) for step in plan.steps]
        self._low, self._high = self._boundary_cells(nodes)

    def batches(self, start_rows: Rows, size: int) -> Iterator[tuple[list[Row], int]]:
        """Yield batches of so many rows, each with how many trees are done after it.

        Args:
            start_rows: rows to start from, one a tree.
        """
        batch: list[Row] = []
        for number, root in enumerate(self.roots, 1):
            for row in self._tree_rows(root, list(start_rows[number % len(start_rows)])):
                batch.append(row)
                if len(batch) == size:
                    yield batch, number - 1
                    batch = []
        yield batch, len(self.roots)

    def _tree_rows(self, root: int, start_row: Row) -> Iterator[Row]:
        stack = [_Visit(root, start_row, {}, frozenset())]
        while stack:
            visit = stack.pop()
            if self._left[visit.node] == visit.node:
                continue
            column, slot = self._column_slots[self._slot[visit.node]]
            cells = self._plan.columns[column].cells
            if isinstance(cells, Lookup):
                children = self._by_category(visit, column, slot)
            else:
                children = self._by_number(visit, column, slot, cells)
                nullable = cells.nullable and self._float[column]
                if nullable and column not in visit.missing_elsewhere:
                    yield with_cell(visit.row, column, None)
            yield from (child.row for child in children)
            stack += children

    def _by_number(self, visit: "_Visit", column: int, slot: int, cells: Number) -> list["_Visit"]:
        """Return the left child with the largest cell, the right one with the next larger one."""
        child, here = self._left[visit.node], visit.missing_elsewhere
        elsewhere = here | {column}
        missing_left = cells.missing[slot] == -np.inf
        low, high = (with_cell(visit.row, column, c[visit.node]) for c in (self._low, self._high))
        return [
            _Visit(child, low, visit.categories, here if missing_left else elsewhere),
            _Visit(child + 1, high, visit.categories, elsewhere if missing_left else here),
        ]

    def _by_category(self, visit: "_Visit", column: int, slot: int) -> list["_Visit"]:
        """Return each child with a category that reaches it, if there is one."""
        threshold, child = self._threshold[visit.node], self._left[visit.node]
        sides: tuple[list[Category], list[Category]] = [], []
        for category in visit.categories.get(column, self._categories[column]):
            sides[not category[1][slot] <= threshold].append(category)
        return [
            _Visit(
                child + right,
                with_cell(visit.row, column, side[0][0]),
                {**visit.categories, column: side},
                visit.missing_elsewhere,
            )
            for right, side in enumerate(sides)
            if side
        ]

    def _boundary_cells(self, nodes: Array) -> tuple[list[Any], list[Any]]:
        """Return each numeric split's largest cell that goes left, and the next larger one."""
        low, high = (np.zeros(len(nodes), object) for _ in range(2))
        for slot, (number, _) in enumerate(self._column_slots):
            column = self._plan.columns[number]
            here = np.flatnonzero(nodes["slot"] == slot)
            if isinstance(column.cells, Number) and here.size:
                thresholds = nodes["threshold"][here]
                low[here], high[here] = self._around(thresholds, column.data_type, slot)
        return low.tolist(), high.tolist()

    def _around(self, thresholds: Array, data_type: str, slot: int) -> tuple[Array, Array]:
        thresholds = np.clip(thresholds, -LARGEST[data_type], LARGEST[data_type] - 1)
        if data_type == "boolean":
            return np.full(len(thresholds), False, object), np.full(len(thresholds), True, object)
        if data_type in ("long", "integer"):
            whole = np.floor(self._unprocess(thresholds, slot)).astype(np.int64)
            return whole.astype(object), (whole + 1).astype(object)
        single = data_type == "float"
        near = self._unprocess(thresholds, slot).astype(np.float32 if single else np.float64)
        tried = np.stack([_next_doubles(near, count) for count in ULPS])
        left = self._preprocess(tried.astype(np.float64), slot) <= thresholds
        last = np.maximum(left.sum(axis=0) - 1, 0)
        low = np.take_along_axis(tried, last[None], 0)[0]
        return low.astype(np.float64), _next_doubles(low, 1).astype(np.float64)

    def _unprocess(self, cells: Array, slot: int) -> Array:
        """Return what the steps make these cells of, but for rounding."""
        for name, operand in reversed(self._steps):
            cells = INVERSES[name](cells, operand[slot])
        return cells

    def _preprocess(self, cells: Array, slot: int) -> Array:
        cells = cells.copy()
        for name, operand in self._steps:
            OPERATIONS[name](cells, operand[slot])
        return cells


@dataclass(frozen=True)
class _Visit:
    """A node, and what has come as far as there."""

    node: int
    row: Row
    categories: Mapping[int, Sequence[Category]]
    """Of columns that were split on: the categories that reach the node."""
    missing_elsewhere: frozenset[int]
    """The columns whose missing cells go to other nodes."""


def _categories(column: Column) -> list[Category]:
    if isinstance(column.cells, Number):
        return []
    others = [(UNKNOWN_CATEGORY, column.cells.unknown), (None, column.cells.missing)]
    others = others if column.data_type == "string" else others[1:]
    return column.cells.known + [(cell, codes) for cell, codes in others if codes is not None]


def _next_doubles(numbers: Array, count: int) -> Array:
    """Return the numbers so many floats further up, or down if `count` is negative."""
    towards = np.asarray(np.copysign(np.inf, count), numbers.dtype)
    for _ in range(abs(count)):
        numbers = np.nextafter(numbers, towards)
    return numbers


INVERSES: Mapping[str, Callable[[Array, Any], Array]] = {
    "fill": lambda cells, _: cells,
    "to_float32": lambda cells, _: cells,
    "add": np.subtract,
    "subtract": np.add,
    "multiply": np.divide,
    "divide": np.multiply,
}
"""What undoes each of `preprocessing.OPERATIONS`."""

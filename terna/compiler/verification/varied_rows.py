"""Varies the reference rows: groups of rows that no client sent."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from terna.compiler.ir.features import UNKNOWN_CATEGORY
from terna.compiler.ir.plan import Column, Lookup, Number
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.runtime.row_parsing import LARGEST
from terna.contracts.scoring import Rows

CELLS = 40_000
"""About how many are replaced one by one."""
GROUP_CELLS = 300_000
"""How many cells a group of rows has at most: 3000 columns take as long as 100."""
TRIALS = 16
"""How many rows replace cells of several columns at once."""
NULL_GROUPS = 16
WHOLE = ("integer", "long")
EXTREMES = (0.0, -0.0, 5e-324, -5e-324, 1.0, -1.0, 1e6, -1e6, 2.0**53, -(2.0**53))

Row = Sequence[Any]


def varied_rows(compiled: CompiledModel, rows: Rows, random: np.random.Generator) -> Iterable[Rows]:
    """Yield groups of varied rows.

    Columns are shuffled, numbers get noise, and single cells become extreme, unknown or missing.
    The compiled model predicts all rows of a group, or none of them.
    """
    columns = compiled.plan.columns
    few = rows[: max(1, CELLS // len(columns) ** 2)]
    most = max(1, GROUP_CELLS // len(columns))
    noisy = [_noisy(row, columns, random) for row in (4 * [*rows])[:most]]
    yield [*_shuffled(rows[:most], random), *noisy]
    yield _predictable(compiled, list(_with_replaced_cells(columns, few)))
    texts = [number for number, column in enumerate(columns) if column.data_type == "string"]
    for part in _split(texts, NULL_GROUPS):
        yield [_with_cells(row, dict.fromkeys(part)) for row in few]


def _with_replaced_cells(columns: Sequence[Column], few: Rows) -> Iterator[Row]:
    """Yield rows with cells that were replaced: of one column, or where there are many, of some."""
    parts = _split(range(len(columns)), max(1, GROUP_CELLS // (TRIALS * len(columns))))
    for part in parts:
        trials = {number: _trials(columns[number], few) for number in part}
        count = max(map(len, trials.values()))
        for trial in range(count if len(part) == 1 else min(count, TRIALS)):
            replaced = {n: cells[(trial + n) % len(cells)] for n, cells in trials.items() if cells}
            yield _with_cells(few[trial % len(few)], replaced)


def _trials(column: Column, few: Rows) -> list[Any]:
    """Return the cells that replace a column's, as often as there are rows for them."""
    known = [cell for cell in _known(column) for _ in few[:4]]
    return known + [cell for cell in _unusual(column) for _ in few]


def _predictable(compiled: CompiledModel, rows: Rows) -> Rows:
    """Return the rows that the compiled model predicts."""
    if compiled.predict_rows(rows) is not None:
        return rows
    return [row for row in rows if compiled.predict_rows([row]) is not None]


def _split(numbers: Sequence[int], most: int) -> list[Sequence[int]]:
    """Return the numbers in so many parts at most."""
    return [numbers[first::most] for first in range(min(most, len(numbers)))]


def _with_cells(row: Row, cells: Mapping[int, Any]) -> list[Any]:
    replaced = list(row)
    for column, cell in cells.items():
        replaced[column] = cell
    return replaced


def with_cell(row: Row, column: int, cell: Any) -> list[Any]:
    """Return the row with one cell replaced."""
    return [*row[:column], cell, *row[column + 1 :]]


def _known(column: Column) -> list[Any]:
    """Return each category, or extremes that the column takes."""
    if isinstance(column.cells, Lookup):
        return [cell for cell, _ in column.cells.known]
    if column.data_type == "boolean":
        return [False, True]
    fit = [cell for cell in EXTREMES if abs(cell) <= LARGEST[column.data_type]]
    return [int(cell) for cell in fit] if column.data_type in WHOLE else list(fit)


def _unusual(column: Column) -> list[Any]:
    """Return a null and an unknown category, where the column takes them."""
    cells = column.cells
    if isinstance(cells, Number):
        return [None] if cells.nullable and column.data_type not in WHOLE else []
    unknown = [UNKNOWN_CATEGORY] if column.data_type == "string" else []
    return [None] * (cells.missing is not None) + unknown * (cells.unknown is not None)


def _shuffled(rows: Rows, random: np.random.Generator) -> Rows:
    """Return the rows with each column in an order of its own."""
    columns = [
        [cells[i] for i in random.permutation(len(cells))] for cells in zip(*rows, strict=True)
    ]
    return list(zip(*columns, strict=True))


def _noisy(row: Row, columns: Sequence[Column], random: np.random.Generator) -> Row:
    factors, summands = random.normal(1, 0.05, len(row)), random.normal(0, 0.01, len(row))
    return [
        _with_noise(cell, column, factor, summand)
        for cell, column, factor, summand in zip(
            row, columns, factors.tolist(), summands.tolist(), strict=True
        )
    ]


def _with_noise(cell: Any, column: Column, factor: float, summand: float) -> Any:
    if cell is None or isinstance(column.cells, Lookup) or column.data_type == "boolean":
        return cell
    near = cell * factor + summand
    return round(near) if column.data_type in WHOLE else float(near)

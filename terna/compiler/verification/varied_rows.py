"""Varies the reference rows: groups of rows that no client sent."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from terna.compiler.ir.features import UNKNOWN_CATEGORY
from terna.compiler.ir.plan import Column, Lookup, Number
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.runtime.row_parsing import LARGEST
from terna.contracts.scoring import Rows

CELLS = 40_000
"""About how many are replaced one by one: a model of 500 columns takes as long as one of 12."""
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
    yield _shuffled(rows, random)
    yield [_noisy(row, columns, random) for row in rows for _ in range(4)]
    candidates = [
        with_cell(row, number, cell)
        for number, column in enumerate(columns)
        for cells, tried in ((_known(column), few[:4]), ([None, *_unknown(column)], few))
        for cell in cells
        for row in tried
    ]
    yield [row for row in candidates if compiled.predict_rows([row]) is not None]
    for number, column in enumerate(columns):
        if column.data_type == "string":
            yield [with_cell(row, number, None) for row in few]


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


def _unknown(column: Column) -> list[Any]:
    return [UNKNOWN_CATEGORY] if column.data_type == "string" else []


def _shuffled(rows: Rows, random: np.random.Generator) -> Rows:
    """Return the rows with each column in an order of its own."""
    columns = [
        [cells[i] for i in random.permutation(len(cells))] for cells in zip(*rows, strict=True)
    ]
    return list(zip(*columns, strict=True))


def _noisy(row: Row, columns: Sequence[Column], random: np.random.Generator) -> Row:
    return [
        _with_noise(cell, column, random) if isinstance(column.cells, Number) else cell
        for cell, column in zip(row, columns, strict=True)
    ]


def _with_noise(cell: Any, column: Column, random: np.random.Generator) -> Any:
    if cell is None or column.data_type == "boolean":
        return cell
    near = cell * (1 + random.normal(0, 0.05)) + random.normal(0, 0.01)
    return round(near) if column.data_type in WHOLE else float(near)

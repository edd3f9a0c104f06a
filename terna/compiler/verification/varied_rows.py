"""Rows that no customer sent: the reference rows, varied."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from terna.compiler.ir.features import UNKNOWN
from terna.compiler.ir.plan import Column, Number, Table
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.runtime.row_parsing import LARGEST
from terna.contracts.scoring import Rows

CELLS = 40_000
"""About how many are changed one by one: a model of 500 columns takes as long as one of 12."""
WHOLE = ("integer", "long")
EXTREMES = (0.0, -0.0, 5e-324, -5e-324, 1.0, -1.0, 1e6, -1e6, 2.0**53, -(2.0**53))


def changed_groups(
    program: CompiledModel, rows: Rows, random: np.random.Generator
) -> Iterable[Rows]:
    """Groups of rows that no customer sent, each read, or left to the original, as a whole."""
    columns = program.plan.columns
    few = rows[: max(1, CELLS // len(columns) ** 2)]
    yield _shuffled(rows, random)
    yield [_noisy(row, columns, random) for row in rows for _ in range(4)]
    odd = [
        with_cell(row, number, cell)
        for number, column in enumerate(columns)
        for cells, tried in ((_known(column), few[:4]), ([None, *_unknown(column)], few))
        for cell in cells
        for row in tried
    ]
    yield [row for row in odd if program.predict_rows([row]) is not None]
    for number, column in enumerate(columns):
        if column.kind == "string":
            yield [with_cell(row, number, None) for row in few]


def _known(column: Column) -> list[Any]:
    """Each category, or extremes that the column takes."""
    if isinstance(column.cells, Table):
        return [cell for cell, _ in column.cells.known]
    if column.kind == "boolean":
        return [False, True]
    fit = [cell for cell in EXTREMES if abs(cell) <= LARGEST[column.kind]]
    return [int(cell) for cell in fit] if column.kind in WHOLE else list(fit)


def _unknown(column: Column) -> list[Any]:
    return [UNKNOWN] if column.kind == "string" else []


def with_cell(row: Sequence[Any], column: int, cell: Any) -> list[Any]:
    return [*row[:column], cell, *row[column + 1 :]]


def _shuffled(rows: Rows, random: np.random.Generator) -> Rows:
    """Each column in an order of its own."""
    columns = [
        [cells[i] for i in random.permutation(len(cells))] for cells in zip(*rows, strict=True)
    ]
    return list(zip(*columns, strict=True))


def _noisy(row: Sequence[Any], columns: Sequence[Column], random: np.random.Generator) -> list[Any]:
    return [
        _near(cell, column, random) if isinstance(column.cells, Number) else cell
        for cell, column in zip(row, columns, strict=True)
    ]


def _near(cell: Any, column: Column, random: np.random.Generator) -> Any:
    if cell is None or column.kind == "boolean":
        return cell
    near = cell * (1 + random.normal(0, 0.05)) + random.normal(0, 0.01)
    return round(near) if column.kind in WHOLE else float(near)

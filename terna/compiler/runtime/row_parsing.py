"""Plain rows, as a JSON parser gives them, to the doubles that a program computes with."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from math import hypot, inf
from operator import contains, itemgetter
from typing import Any

from terna.compiler.ir.plan import Column, Number, Table, layout

Cells = tuple[float, ...]
Read = Callable[[Any], Cells]

LARGEST = {
    "boolean": 1.0,
    "integer": 2.0**31 - 1,
    "long": 2.0**53,
    "float": 2.0**53,
    "double": 2.0**53,
}
"""Up to here whole numbers are exact, and every library takes them; few customers have more."""
TYPES = {
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (float, int),
    "double": (float, int),
    "string": (str,),
}
"""What needs no second look."""
MOST_SEEN = 1000


class NotPlain(Exception):
    """A cell that MLflow itself should look at."""


class Reader:
    """Reads rows in the signature's order."""

    def __init__(self, columns: Sequence[Column]) -> None:
        order = layout(columns)
        self._width = len(columns)
        self._reads = [(number, _reading(columns[number])) for number in order]
        self._nulls = {
            number: _of_nulls(column.cells)
            for number, column in enumerate(columns)
            if isinstance(column.cells, Table) and column.cells.nulls != column.cells.missing
        }
        self._at_once = _AtOnce(columns, order)

    def read(self, rows: Sequence[Sequence[Any]]) -> "array[float]":
        """The rows' slots one after another, and a zero at the end of each row.

        Raises:
            NotPlain: a cell is not plainly of its column's type, or a row has too few or many.
        """
        at_once = self._at_once
        reads: Sequence[tuple[int, Read]] = self._reads
        flat: list[float] = []
        for row in rows:
            cells = at_once.cells(row)
            if cells is None:
                reads = self._reads_of(rows) if reads is self._reads else reads
                cells = self._one_by_one(row, reads)
            flat += cells
        return array("d", flat)

    def _one_by_one(self, row: Sequence[Any], reads: Sequence[tuple[int, Read]]) -> list[float]:
        if len(row) != self._width:
            raise NotPlain
        cells: list[float] = []
        for number, read in reads:
            cells += read(row[number])
        cells.append(0.0)
        return cells

    def _reads_of(self, rows: Sequence[Sequence[Any]]) -> Sequence[tuple[int, Read]]:
        """MLflow makes NaN of a null beside text, and None of nulls alone: see `Table.nulls`."""
        alone = [
            number
            for number in self._nulls
            if all(len(row) > number and row[number] is None for row in rows)
        ]
        return [(n, self._nulls[n] if n in alone else read) for n, read in self._reads]


class _AtOnce:
    """Reads a row without looking at each cell: one with every cell there, as most are."""

    def __init__(self, columns: Sequence[Column], order: Sequence[int]) -> None:
        numbers = [n for n in order if isinstance(columns[n].cells, Number)]
        self._types = [TYPES[column.kind] for column in columns]
        self._seen: set[tuple[type, ...]] = set()
        self._numbers = _getter(numbers)
        self._slots = _getter([n for n in numbers for _ in range(columns[n].slots)])
        kinds = {columns[n].kind for n in numbers} - {"boolean"}
        self._limit = min((LARGEST[kind] for kind in kinds), default=inf)
        self._tables = [
            (n, dict(cells.known)) for n in order if isinstance(cells := columns[n].cells, Table)
        ]

    def cells(self, row: Sequence[Any]) -> list[float] | None:
        """None where the cells have to be looked at one by one."""
        types = tuple(map(type, row))
        if types not in self._seen and not self._fits(types):
            return None
        try:
            if not hypot(*self._numbers(row)) < self._limit:  # then each of them is, too
                return None
            cells = list(self._slots(row))
            for number, known in self._tables:
                cells += known[row[number]]
        except (KeyError, OverflowError):
            return None
        cells.append(0.0)
        return cells

    def _fits(self, types: tuple[type, ...]) -> bool:
        """Whether each is one of its column's; remembered, as most rows are alike."""
        fits = len(types) == len(self._types) and all(map(contains, self._types, types))
        if fits and len(self._seen) < MOST_SEEN:
            self._seen.add(types)
        return fits


def _getter(numbers: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    if len(numbers) > 1:
        return itemgetter(*numbers)
    return lambda row: tuple(row[number] for number in numbers)


def _reading(column: Column) -> Read:
    if isinstance(column.cells, Table):
        return _looked_up(column.kind, column.cells)
    if column.kind == "boolean":
        return _read_boolean(len(column.cells.missing))
    return _read_number(column.kind, column.cells)


def _read_number(kind: str, cells: Number) -> Read:
    whole = kind in ("integer", "long")
    common, rare = (int, float) if whole else (float, int)
    low, high, times, missing = -LARGEST[kind], LARGEST[kind], len(cells.missing), cells.missing
    nullable = cells.nullable and not whole

    def read(cell: Any) -> Cells:
        if type(cell) is common and low <= cell <= high:
            return (cell,) * times
        if cell is None and nullable:
            return missing
        if type(cell) is rare and low <= cell <= high and not (whole and cell % 1):
            return (float(cell),) * times
        if type(cell) is float and cell != cell and nullable:
            return missing
        raise NotPlain

    return read


def _read_boolean(times: int) -> Read:
    def read(cell: Any) -> Cells:
        if type(cell) is not bool:
            raise NotPlain
        return (float(cell),) * times

    return read


def _looked_up(kind: str, table: Table) -> Read:
    known: Mapping[Any, Cells] = dict(table.known)
    types, unknown, missing = TYPES[kind], table.unknown, table.missing

    def read(cell: Any) -> Cells:
        if type(cell) not in types:
            if missing is None or not (cell is None or cell != cell):
                raise NotPlain
            return missing
        found = known.get(cell)
        return found if found is not None else _unknown(cell)

    def _unknown(cell: Any) -> Cells:
        if unknown is None or cell != cell or not str(cell).isprintable():
            raise NotPlain
        return unknown

    return read


def _of_nulls(table: Table) -> Read:
    def read(_cell: None) -> Cells:
        if table.nulls is None:
            raise NotPlain
        return table.nulls

    return read

"""Plain rows, as a JSON parser gives them, to the doubles that a program computes with."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from terna.serving.compiled.plan import Column, Number, Table

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


class NotPlain(Exception):
    """A cell that MLflow itself should look at."""


class Reader:
    """Reads rows in the signature's order."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._names = tuple(column.name for column in columns)
        self._reads = tuple(_reading(column) for column in columns)
        self._nulls = {
            number: _of_nulls(column.cells)
            for number, column in enumerate(columns)
            if isinstance(column.cells, Table) and column.cells.nulls != column.cells.missing
        }

    def read(self, rows: Sequence[Sequence[Any]]) -> "array[float]":
        """The rows' slots one after another, and a zero at the end of each row.

        Raises:
            NotPlain: a cell is not plainly of its column's type, or a row has too few or many.
        """
        reads = self._reads_of(rows) if self._nulls else self._reads
        flat: list[float] = []
        for row in rows:
            if len(row) != len(reads):
                raise NotPlain
            for read, cell in zip(reads, row, strict=True):
                flat += read(cell)
            flat.append(0.0)
        return array("d", flat)

    def _reads_of(self, rows: Sequence[Sequence[Any]]) -> Sequence[Read]:
        """MLflow makes NaN of a null beside text, and None of nulls alone: see `Table.nulls`."""
        reads = list(self._reads)
        for number, read in self._nulls.items():
            if all(len(row) > number and row[number] is None for row in rows):
                reads[number] = read
        return reads


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
    types = {"string": (str,), "boolean": (bool,), "long": (int,), "integer": (int,)}.get(
        kind, (int, float)
    )
    unknown, missing = table.unknown, table.missing

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

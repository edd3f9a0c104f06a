"""From rows as a JSON parser gives them to the doubles that a compiled model computes with."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from math import hypot, inf
from operator import contains, itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir.plan import Column, Lookup, Number, slot_order

Array = NDArray[Any]
Slots = tuple[float, ...]
CellParser = Callable[[Any], Slots]

LARGEST = {
    "boolean": 1.0,
    "integer": 2.0**31 - 1,
    "long": 2.0**53,
    "float": 2.0**53,
    "double": 2.0**53,
}
"""By MLflow's type, the largest number that is parsed here: up to it, doubles hold whole numbers
exactly, and every library takes them."""
LARGEST_OF_COLUMNS = {**LARGEST, "boolean": 2.0, "integer": 2.0**31}
"""By MLflow's type, what the numbers of a whole column are below."""
TYPES = {
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (float, int),
    "double": (float, int),
    "string": (str,),
}
"""By MLflow's type, the Python types that are taken as they are."""
MAX_REMEMBERED = 1000
MANY_ROWS = 64
"""From so many rows on, parsing column by column is faster than row by row."""


class NeedsPyfunc(Exception):
    """A cell is not strictly of its column's type: only the pyfunc model knows what it does."""


class RowParser:
    """Parses rows in the schema's order."""

    def __init__(self, columns: Sequence[Column]) -> None:
        order = slot_order(columns)
        self._columns, self._order = columns, order
        self._width = len(columns)
        self._parsers = [(number, _cell_parser(columns[number])) for number in order]
        self._all_missing = {
            number: _all_missing_parser(column.cells)
            for number, column in enumerate(columns)
            if isinstance(column.cells, Lookup) and column.cells.all_missing != column.cells.missing
        }
        self._whole = _WholeRowParser(columns, order)

    def parse(self, rows: Sequence[Sequence[Any]]) -> "array[float]":
        """Return the rows' slots one after another, with a zero at the end of each row.

        Raises:
            NeedsPyfunc: a cell is not strictly of its column's type, or a row has too few or too
                many.
        """
        found = self._parse_columns(rows) if len(rows) >= MANY_ROWS else None
        return self._parse_rows(rows) if found is None else found

    def _parse_rows(self, rows: Sequence[Sequence[Any]]) -> "array[float]":
        whole = self._whole
        parsers: Sequence[tuple[int, CellParser]] = self._parsers
        flat: list[float] = []
        for row in rows:
            slots = whole.parse(row)
            if slots is None:
                parsers = self._parsers_for(rows) if parsers is self._parsers else parsers
                slots = self._parse_cells(row, parsers)
            flat += slots
        return array("d", flat)

    def _parse_columns(self, rows: Sequence[Sequence[Any]]) -> "array[float] | None":
        """Return the same by whole columns; None where a column has to be parsed cell by cell."""
        if set(map(len, rows)) != {self._width}:
            raise NeedsPyfunc
        slots = 1 + sum(column.slots for column in self._columns)
        cells = array("d", [0.0]) * (slots * len(rows))
        table, first, parsers = np.frombuffer(cells).reshape(-1, slots), 0, dict(self._parsers)
        columns = list(zip(*rows, strict=True))
        for number in self._order:
            column, values = self._columns[number], columns[number]
            found = _column_slots(column, values, parsers[number])
            if found is None:
                return None
            table[:, first : first + column.slots] = found
            first += column.slots
        return cells

    def _parse_cells(
        self, row: Sequence[Any], parsers: Sequence[tuple[int, CellParser]]
    ) -> list[float]:
        if len(row) != self._width:
            raise NeedsPyfunc
        slots: list[float] = []
        for number, parse in parsers:
            slots += parse(row[number])
        slots.append(0.0)
        return slots

    def _parsers_for(self, rows: Sequence[Sequence[Any]]) -> Sequence[tuple[int, CellParser]]:
        """Return the parsers of all columns, those without any value taken into account.

        MLflow makes NaN of a null beside text, and None of nulls alone.
        """
        all_missing = [
            number
            for number in self._all_missing
            if all(len(row) > number and row[number] is None for row in rows)
        ]
        return [(n, self._all_missing[n] if n in all_missing else p) for n, p in self._parsers]


class _WholeRowParser:
    """Parses a row without looking at each cell: one where no cell is missing, as in most."""

    def __init__(self, columns: Sequence[Column], order: Sequence[int]) -> None:
        numbers = [n for n in order if isinstance(columns[n].cells, Number)]
        self._types = [TYPES[column.data_type] for column in columns]
        self._remembered: set[tuple[type, ...]] = set()
        self._numbers = _getter(numbers)
        self._slots = _getter([n for n in numbers for _ in range(columns[n].slots)])
        types = {columns[n].data_type for n in numbers} - {"boolean"}
        self._limit = min((LARGEST[name] for name in types), default=inf)
        self._lookups = [
            (n, dict(cells.known)) for n in order if isinstance(cells := columns[n].cells, Lookup)
        ]

    def parse(self, row: Sequence[Any]) -> list[float] | None:
        """Return the row's slots; None where the cells have to be parsed one by one."""
        types = tuple(map(type, row))
        if types not in self._remembered and not self._fits(types):
            return None
        try:
            if not hypot(*self._numbers(row)) < self._limit:  # then each of them is, too
                return None
            slots = list(self._slots(row))
            for number, known in self._lookups:
                slots += known[row[number]]
        except (KeyError, OverflowError):
            return None
        slots.append(0.0)
        return slots

    def _fits(self, types: tuple[type, ...]) -> bool:
        """Return whether each type is one of its column's, and remember it: most rows are alike."""
        fits = len(types) == len(self._types) and all(map(contains, self._types, types))
        if fits and len(self._remembered) < MAX_REMEMBERED:
            self._remembered.add(types)
        return fits


def _column_slots(column: Column, cells: Sequence[Any], parse: CellParser) -> Array | None:
    """Return a column's slots, shape (rows, slots) or (rows, 1) for equal ones.

    None where a cell has to be looked at by itself.
    """
    types = set(map(type, cells))
    if isinstance(column.cells, Lookup):
        return (
            _looked_up(cells, parse, column.slots) if types <= {*TYPES[column.data_type]} else None
        )
    nullable = column.cells.nullable and column.data_type in ("double", "float")
    if not types <= {*TYPES[column.data_type], *([type(None)] if nullable else [])}:
        return None
    try:
        numbers = np.fromiter(cells, np.float64, len(cells))[:, None]  # makes NaN of None
    except OverflowError:
        return None
    missing = np.isnan(numbers)
    if not (missing | (np.abs(numbers) < LARGEST_OF_COLUMNS[column.data_type])).all():
        return None
    if not missing.any():
        return numbers
    return np.where(missing, column.cells.missing, numbers) if nullable else None


def _looked_up(cells: Sequence[Any], parse: CellParser, slots: int) -> Array:
    """Return what each cell is listed with, shape (rows, slots): each distinct one is parsed once.

    Raises:
        NeedsPyfunc: for one of them.
    """
    place = {cell: number for number, cell in enumerate(dict.fromkeys(cells))}
    codes = np.array([parse(cell) for cell in place]).reshape(len(place), slots)
    return codes.take(np.fromiter(map(place.__getitem__, cells), np.intp, len(cells)), axis=0)


def _getter(numbers: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    if len(numbers) > 1:
        return itemgetter(*numbers)
    return lambda row: tuple(row[number] for number in numbers)


def _cell_parser(column: Column) -> CellParser:
    if isinstance(column.cells, Lookup):
        return _lookup_parser(column.data_type, column.cells)
    if column.data_type == "boolean":
        return _boolean_parser(len(column.cells.missing))
    return _number_parser(column.data_type, column.cells)


def _number_parser(data_type: str, cells: Number) -> CellParser:
    whole = data_type in ("integer", "long")
    common, rare = (int, float) if whole else (float, int)
    low, high, missing = -LARGEST[data_type], LARGEST[data_type], cells.missing
    times = len(missing)
    nullable = cells.nullable and not whole

    def parse(cell: Any) -> Slots:
        if type(cell) is common and low <= cell <= high:
            return (cell,) * times
        if cell is None and nullable:
            return missing
        if type(cell) is rare and low <= cell <= high and not (whole and cell % 1):
            return (float(cell),) * times
        if type(cell) is float and cell != cell and nullable:
            return missing
        raise NeedsPyfunc

    return parse


def _boolean_parser(times: int) -> CellParser:
    def parse(cell: Any) -> Slots:
        if type(cell) is not bool:
            raise NeedsPyfunc
        return (float(cell),) * times

    return parse


def _lookup_parser(data_type: str, lookup: Lookup) -> CellParser:
    known: Mapping[Any, Slots] = dict(lookup.known)
    types, unknown, missing = TYPES[data_type], lookup.unknown, lookup.missing

    def parse(cell: Any) -> Slots:
        if type(cell) not in types:
            if missing is None or not (cell is None or cell != cell):
                raise NeedsPyfunc
            return missing
        found = known.get(cell)
        return found if found is not None else parse_unknown(cell)

    def parse_unknown(cell: Any) -> Slots:
        if unknown is None or cell != cell or not str(cell).isprintable():
            raise NeedsPyfunc
        return unknown

    return parse


def _all_missing_parser(lookup: Lookup) -> CellParser:
    def parse(_cell: None) -> Slots:
        if lookup.all_missing is None:
            raise NeedsPyfunc
        return lookup.all_missing

    return parse

"""How serving says which value it refuses, and how a client reads that."""

import re
from typing import NamedTuple

_CELL = re.compile(r"Row (?P<row>\d+): '(?P<column>.*)' must be (?P<expected>.*)\.", re.DOTALL)
_MISSING = "Missing columns: "


class Cell(NamedTuple):
    """A value that does not fit the model's schema."""

    row: int
    column: str
    expected: str
    """What it must be, such as "a number or null"."""


def say_cell(cell: Cell) -> str:
    """Return the message for a value that does not fit; it does not repeat the value."""
    return f"Row {cell.row}: '{cell.column}' must be {cell.expected}."


def read_cell(message: str) -> Cell | None:
    """Return what `say_cell` said; None for another message."""
    found = _CELL.fullmatch(message)
    return Cell(int(found["row"]), found["column"], found["expected"]) if found else None


def say_missing(columns: str) -> str:
    """Return the message for columns that are not sent, their names with commas between them."""
    return f"{_MISSING}{columns}."


def is_missing(message: str) -> bool:
    """Return whether `say_missing` said it."""
    return message.startswith(_MISSING)

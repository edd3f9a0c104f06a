"""How large a request may be, counted before pandas, NumPy or pyarrow make anything of it.

What a request costs is not its bytes: pandas makes rows × columns of cells, also of those that are
left out; NumPy stores every text of an array at the width of the longest. Each limit is far above
what 10 MB hold of rows that are filled in.
"""

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from io import StringIO
from itertools import chain
from typing import Any

from terna.errors import BadRequest, PayloadTooLarge

MAX_CELLS = 5_000_000
"""Rows × distinct columns of one table. 10 MB of JSON or CSV hold no more, and pandas takes 40 MB
for them, and again for each copy."""

MAX_UNKNOWN_COLUMNS = 10_000
"""Columns beyond those that the model's schema names. MLflow ignores them, after pandas has taken
0.1 ms for each, of CSV 0.3 ms."""

MAX_REPEATED_COLUMNS = 100
"""Columns with the name of another: pandas and MLflow take time with the square of their number."""

MAX_TEXT_ARRAY_BYTES = 512 * 2**20
"""What NumPy takes for arrays with texts: values × the longest text × 4 bytes."""

MAX_DECODED_BYTES = 256 * 2**20
"""What a Parquet file holds without compression, each text counted as often as it stands there."""

MAX_PARQUET_PAGES = 50_000
"""Pages of a Parquet file: it takes 50 µs to read the header of one."""

MAX_CONTAINERS = 1_000_000
"""Lists of a JSON body, and twice its objects: Python takes 72 bytes for a list, 190 for an object,
where JSON takes two."""

MAX_RANK = 32
"""Dimensions of a tensor."""

ARRAY_FORMS = ("inputs", "instances")
"""The forms of which NumPy makes arrays, and not pandas a data frame."""

_NUMBER_WIDTH = 32
"""Characters that NumPy reserves for a number among texts."""


def check_json(body: bytes) -> None:
    """Count what a body would be in memory, before it is decoded; texts count like the rest.

    Raises:
        PayloadTooLarge: more than `MAX_CONTAINERS` or `MAX_CELLS`.
    """
    if 2 * len(body) <= MAX_CONTAINERS:  # it cannot hold as many
        return
    too_many = body.count(b"[") + 2 * body.count(b"{") > MAX_CONTAINERS
    if too_many or (len(body) > MAX_CELLS and body.count(b",") > MAX_CELLS):
        raise _too_many("lists, objects or values")


def check_table(
    document: Mapping[str, Any], form: str | None, known: int, takes_arrays: bool = False
) -> None:
    """Check the table that pandas would make of a document.

    Args:
        form: which of the document's keys holds the rows; None if the keys are columns themselves.
        known: how many columns the model's schema has.
        takes_arrays: whether lists of values go to the model as an array, which has no columns.

    Raises:
        PayloadTooLarge: too many cells or columns.
        BadRequest: too many columns of one name.
    """
    value = document if form is None else document[form]
    rows, columns = _size(value)
    if form == "dataframe_split" and isinstance(value, dict):
        names = value.get("columns")
        rows, columns = _size(value.get("data"))
        rows, columns = max(rows, _length(value.get("index"))), max(columns, _length(names))
        if isinstance(names, list):
            check_repeated(name for name in names if not isinstance(name, list | dict))
    check_cells(rows, columns)
    if not (takes_arrays and form in ARRAY_FORMS and _is_array(value)):
        check_columns(columns, known)


def check_arrays(form: str, value: Any, joined: bool) -> None:
    """Check the size of the arrays that NumPy would make of texts.

    Args:
        joined: whether the lists in the cells of a column become one array, as tensors do.

    Raises:
        PayloadTooLarge: more than `MAX_TEXT_ARRAY_BYTES`.
    """
    arrays = _arrays(form, value, joined)
    if sum(map(_text_array_bytes, arrays)) > MAX_TEXT_ARRAY_BYTES:
        raise PayloadTooLarge(
            "Send shorter texts or fewer rows, or 'dataframe_split': an array takes as much for"
            " each text as for the longest."
        )


def check_csv(text: str, known: int) -> None:
    """Check the table that pandas would make of CSV, by its first two records.

    Raises:
        PayloadTooLarge: too many cells or columns.
        BadRequest: too many columns of one name.
    """
    first = _first_records(text)
    header = next(first, ())
    width = max(len(header), len(next(first, ())))
    rows = text.count("\n") + text.count("\r") - text.count("\r\n")
    check_columns(width, known)
    check_repeated(name for name in header if name)  # pandas numbers those without a name
    check_cells(rows, width)


def check_cells(rows: int, columns: int) -> None:
    """Raise PayloadTooLarge if a table has more than `MAX_CELLS`."""
    if rows * columns > MAX_CELLS:
        raise _too_many("values")


def check_columns(columns: int, known: int) -> None:
    """Raise PayloadTooLarge for more columns than `known` and `MAX_UNKNOWN_COLUMNS`."""
    if columns > known + MAX_UNKNOWN_COLUMNS:
        raise PayloadTooLarge("Send fewer columns: only those that the model takes, see /docs.")


def check_repeated(names: Iterable[Any]) -> None:
    """Raise BadRequest for more than `MAX_REPEATED_COLUMNS`."""
    names = list(names)
    if len(names) - len(set(names)) > MAX_REPEATED_COLUMNS:
        raise BadRequest("Send each column once.")


def _too_many(what: str) -> PayloadTooLarge:
    return PayloadTooLarge(f"Send fewer rows or columns at a time: they have too many {what}.")


def _size(value: Any) -> tuple[int, int]:
    """Return the rows and columns that pandas makes of a value, at most."""
    if isinstance(value, dict):
        return _longest_column(value.values()), len(value)
    if isinstance(value, list):
        return len(value), _widest_row(value)
    return 1, 1


def _widest_row(rows: Sequence[Any]) -> int:
    """Return the columns of a list of rows: pandas fills short ones up, and takes texts apart."""
    if not {list, dict} & set(map(type, rows)):
        return 1
    lengths = [len(row) for row in rows if isinstance(row, list | str)]
    records = [row for row in rows if isinstance(row, dict)]
    if not records:
        return max(lengths)
    return len(set[str]().union(*records)) + sum(lengths)  # pairs in lists become keys too


def _longest_column(columns: Collection[Any]) -> int:
    """Return the rows of columns: those that are objects name their rows."""
    names = set[str]().union(*(column for column in columns if isinstance(column, dict)))
    lists = (len(column) for column in columns if isinstance(column, list))
    return max(1, max(lists, default=0) + len(names))


def _length(labels: Any) -> int:
    """Return how many labels of rows or columns there are: lists in a list are its levels."""
    if not isinstance(labels, list | dict):
        return 0
    return max(len(labels), *(len(level) for level in labels if isinstance(level, list)), 0)


def _is_array(value: Any) -> bool:
    """Return whether a value is lists of values, of which NumPy makes one array."""
    return isinstance(value, list) and dict not in set(map(type, value))


def _arrays(form: str, value: Any, joined: bool) -> Iterable[Any]:
    """Yield, as nested lists, what NumPy makes an array of."""
    if form in ARRAY_FORMS and isinstance(value, dict):
        return value.values()
    if form in ARRAY_FORMS and _is_array(value):
        return (value,)
    if form == "instances" and isinstance(value, list):
        return _columns(value).values()
    cells = [cell for cell in _cells(value) if isinstance(cell, list)]
    return (cells,) if joined else cells


def _columns(records: Sequence[Any]) -> Mapping[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for record in records:
        for name, cell in record.items() if isinstance(record, dict) else ():
            columns.setdefault(name, []).append(cell)
    return columns


def _cells(value: Any) -> Iterable[Any]:
    """Yield the cells of a table in any form."""
    if isinstance(value, dict) and "data" in value:  # a data frame as split
        value = value["data"]
    rows = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return chain.from_iterable(
        row.values() if isinstance(row, dict) else row if isinstance(row, list) else ()
        for row in rows
    )


def _text_array_bytes(value: Any) -> int:
    """Return the size of the array that NumPy makes of nested lists; 0 without texts in it."""
    count, longest, level = 0, 0, [value]
    while level:
        kinds = set(map(type, level))
        longest = max(longest, *(_longest(level, kind) for kind in kinds))
        lists = level if kinds == {list} else [cell for cell in level if type(cell) is list]
        count += len(level) - len(lists)
        level = list(chain.from_iterable(lists))
    return count * max(longest, _NUMBER_WIDTH) * 4 if longest else 0


def _longest(cells: Sequence[Any], kind: type[Any]) -> int:
    """Return the characters of the longest cell of one type; 0 for numbers of usual size."""
    own: Iterable[Any] = (cell for cell in cells if type(cell) is kind)
    if kind is str:
        return max(map(len, own))
    if kind is dict:  # a column of text takes it as Python prints it
        return max(len(repr(cell)) for cell in own)
    if kind is int:
        digits = max(map(int.bit_length, own)) // 3
        return digits if digits > _NUMBER_WIDTH else 0
    return 0


def _first_records(text: str) -> Iterator[Sequence[str]]:
    """Yield the records of CSV, without the blank lines that pandas skips."""
    return (record for record in csv.reader(StringIO(text, newline="")) if "".join(record).strip())

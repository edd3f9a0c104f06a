"""What a Parquet file takes once it is decoded, found without decoding it.

Compression and dictionaries make a gigabyte of a kilobyte, and the sums in the file's footer are
the client's word: the header before each page is what pyarrow allocates by.
https://parquet.apache.org/docs/file-format/ and, for the headers,
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np

from terna.contracts.limits import (
    MAX_CELLS,
    MAX_DECODED_BYTES,
    MAX_PARQUET_PAGES,
    check_cells,
    check_columns,
    check_repeated,
)
from terna.errors import PayloadTooLarge

_DICTIONARY_PAGE = 2
_DICTIONARY_ENCODINGS = (2, 8)
_DELTA_BYTE_ARRAY = 7
"""Each text begins like the one before it."""


class Page(NamedTuple):
    """What a page's header says."""

    size: int
    """Bytes without compression."""
    values: int
    encoding: int
    is_dictionary: bool


def check_parquet(body: bytes, known: int) -> None:
    """Check the table that pyarrow would make of a Parquet file.

    Args:
        known: how many columns the model's schema has.

    Raises:
        PayloadTooLarge: too many cells or columns, or texts that are too long in all.
        BadRequest: too many columns of one name.
        ValueError, IndexError, ArrowException: it is no Parquet file.
    """
    from pyarrow import parquet  # megabytes, needed only once such a file is sent

    metadata = parquet.read_metadata(BytesIO(body))
    check_columns(metadata.num_columns, known)
    check_repeated(metadata.schema.to_arrow_schema().names)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    check_cells(max(metadata.num_rows, sum(g.num_rows for g in groups)), metadata.num_columns)
    decoded, repeated = _count(body, groups, metadata.schema)
    if decoded <= MAX_DECODED_BYTES < decoded + repeated:
        decoded += _text_bytes(body, metadata)
    if decoded > MAX_DECODED_BYTES:
        raise _too_large()


def _count(body: bytes, groups: list[Any], schema: Any) -> tuple[int, int]:
    """Return the bytes of all pages, and at most how many dictionaries add, from the headers."""
    pages = cells = decoded = repeated = 0
    for group in groups:
        for number in range(group.num_columns):
            column, width = group.column(number), schema.column(number).length
            has_texts, dictionary = column.physical_type == "BYTE_ARRAY", 0
            for page in _pages(body, column):
                pages, cells, decoded = pages + 1, cells + page.values, decoded + page.size
                dictionary = page.size if page.is_dictionary else dictionary
                if has_texts and page.encoding in _DICTIONARY_ENCODINGS:
                    repeated += dictionary * page.values
                if page.encoding == _DELTA_BYTE_ARRAY:
                    decoded += page.size * page.values
                decoded += width * page.values
                if pages > MAX_PARQUET_PAGES or cells > 2 * MAX_CELLS:
                    raise _too_large()
    return decoded, repeated


def _text_bytes(body: bytes, metadata: Any) -> int:
    """Return how long all texts are, each counted as often as it stands in the file."""
    from pyarrow import parquet

    leaves = [metadata.schema.column(number) for number in range(metadata.num_columns)]
    names = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    file = parquet.ParquetFile(BytesIO(body), read_dictionary=names)
    total = 0
    for name in names:
        table = file.read(columns=[name], use_threads=False)
        total += sum(_expanded(chunk) for column in table.columns for chunk in column.chunks)
    return total


def _expanded(array: Any) -> int:
    """Return the bytes of the texts in an array of dictionaries, which lists and structs hold."""
    from pyarrow import compute, types

    if types.is_dictionary(array.type):
        lengths = np.asarray(compute.binary_length(array.dictionary).fill_null(0), np.int64)
        indices = np.asarray(array.indices.drop_null())
        return int(np.bincount(indices, minlength=len(lengths)) @ lengths)
    if types.is_struct(array.type):
        return sum(_expanded(part) for part in array.flatten())
    if types.is_map(array.type):
        return _expanded(array.keys) + _expanded(array.items)
    return _expanded(array.flatten()) if types.is_nested(array.type) else array.nbytes


def _pages(body: bytes, column: Any) -> Iterator[Page]:
    """Yield the headers of a column's pages.

    Raises:
        ValueError, IndexError: there are none.
    """
    start = column.data_page_offset
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < start:
        start = column.dictionary_page_offset
    end = start + column.total_compressed_size
    if not 0 <= start <= end <= len(body):
        raise ValueError("a column outside the file")
    values = 0
    while start < end and values < column.num_values:
        header = _Compact(body, start, end)
        page, length = _page(header.struct())
        start = header.position + length
        values += 0 if page.is_dictionary else page.values
        yield page


def _page(header: Mapping[int, Any]) -> tuple[Page, int]:
    """Return what a `PageHeader` says, and how many bytes follow it."""
    kind, size, length = (int(header[number]) for number in (1, 2, 3))
    data = header.get(5) or header.get(8) or header.get(7) or {}
    encoding = data.get(4) if 8 in header else data.get(2)
    values = int(data.get(1, 0))
    if min(size, length, values) < 0:
        raise ValueError("a negative size")
    return Page(size, values, int(encoding or 0), kind == _DICTIONARY_PAGE), length


class _Compact:
    """A reader of structs in Thrift's compact protocol."""

    def __init__(self, data: bytes, position: int, end: int) -> None:
        self._data = data
        self._end = end
        self.position = position

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Read the fields of a struct by their numbers."""
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            fields[number] = self._value(head & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        """Read a value; lists, sets and maps are in no page header."""
        if kind in (1, 2):  # true and false
            return kind == 1
        if kind in (3, 7):  # a byte, a double
            return self._skip(1 if kind == 3 else 8)
        if kind in (4, 5, 6):
            return self._integer()
        if kind == 8:
            return self._skip(self._unsigned())
        if kind == 12 and depth < 4:
            return self.struct(depth + 1)
        raise ValueError("no page header")

    def _byte(self) -> int:
        if self.position >= self._end:
            raise ValueError("cut short")
        self.position += 1
        return self._data[self.position - 1]

    def _skip(self, size: int) -> None:
        self.position += size

    def _integer(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)  # zigzag

    def _unsigned(self) -> int:
        value = shift = 0
        while shift < 64:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
        raise ValueError("no number of 64 bits")


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(
        "Send fewer rows at a time: the file holds too much without compression."
    )

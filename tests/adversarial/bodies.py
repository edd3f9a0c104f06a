"""Bodies of small requests that would cost much."""

import json
import zlib
from io import BytesIO
from typing import Any

import pyarrow as pa
from pyarrow import parquet

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
"""Content types."""


def body(**document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def parquet_file(**columns: Any) -> bytes:
    file = BytesIO()
    parquet.write_table(pa.table(columns), file, compression="zstd")
    return file.getvalue()


def parquet_of_a_long_text() -> bytes:
    """Less than 1 KB that say a text of 1.6 MB a thousand times."""
    return parquet_file(plan=["x" * 1_600_000] * 1_000)


def tensor(**more: Any) -> bytes:
    return body(inputs=[{"name": "a", "datatype": "FP32", "shape": [1], "data": [1]} | more])


def tensor_of_large_numbers() -> bytes:
    """A shape whose product takes minutes."""
    return tensor(shape=[10**4200] * 600)


def unlike(count: int, **row: Any) -> list[Any]:
    """Records that have one name of their own each."""
    return [row | {f"k{i}": 1} for i in range(count)]


def sparse(count: int) -> list[Any]:
    """Records of one value each, with 3000 names together."""
    return [{f"c{i % 3000}": 1} for i in range(count)]


def csv_of_one_name() -> bytes:
    """A header `a,a,a…` of 160 KB, and a row."""
    return b"a," * 80_000 + b"a\n" + b"1," * 80_000 + b"1\n"


def gzip_of_spaces() -> bytes:
    """200 KB that inflate to 200 MB."""
    compressor, million = zlib.compressobj(wbits=31), b" " * 1_000_000
    return b"".join(compressor.compress(million) for _ in range(200)) + compressor.flush()

"""A Parquet file is refused for what it holds once it is decoded."""

from io import BytesIO
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from terna.errors import PayloadTooLarge
from terna.predictor.parquet_size import check_parquet

LONG = "x" * 1_000_000


def file_of(column: Any, **options: Any) -> bytes:
    file = BytesIO()
    parquet.write_table(pa.table({"a": column}), file, compression="zstd", **options)
    return file.getvalue()


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize(
    "column",
    [
        [LONG] * 300,
        [[LONG] * 300],
        [{"b": LONG}] * 300,
        pa.array([[("b", LONG)]] * 300, pa.map_(pa.string(), pa.string())),
        pa.array([LONG.encode()] * 300, pa.binary(len(LONG))),
        [LONG + str(i) for i in range(300)],
        pa.array([[0] * 11_000_000]),
    ],
    ids=["text", "lists", "objects", "maps", "fixed length", "compressed", "long list"],
)
def test_small_file_of_large_content_is_refused(column: Any, version: str) -> None:
    sent = file_of(column, data_page_version=version)

    assert len(sent) < 100_000
    with pytest.raises(PayloadTooLarge, match="fewer rows"):
        check_parquet(sent, 0)


def test_texts_that_repeat_the_one_before_are_counted_in_full() -> None:
    sent = file_of([LONG] * 300, use_dictionary=False, column_encoding={"a": "DELTA_BYTE_ARRAY"})

    with pytest.raises(PayloadTooLarge, match="without compression"):
        check_parquet(sent, 0)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_many_texts_of_a_large_dictionary_are_accepted(version: str) -> None:
    texts = [f"text {i % 9_000:020}" for i in range(40_000)]
    tags = [[text, None] for text in texts]
    for column in (texts, tags, [{"b": text} for text in texts], [None, *texts]):
        sent = file_of(column, data_page_version=version)
        assert check_parquet(sent, 0) is None  # type: ignore[func-returns-value]


@given(st.integers(4, 200), st.binary(min_size=1, max_size=8))
def test_damaged_file_is_an_error_or_accepted(place: int, damage: bytes) -> None:
    sent = bytearray(file_of(["a", "b"] * 20))
    sent[place : place + len(damage)] = damage

    try:
        assert check_parquet(bytes(sent), 0) is None  # type: ignore[func-returns-value]
    except Exception as error:
        assert not isinstance(error, MemoryError | RecursionError)  # noqa: PT017

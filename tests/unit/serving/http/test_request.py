"""Requests: whose id they have, and how much of a body is read."""

import asyncio
import gzip
import zlib
from dataclasses import dataclass
from typing import Any

import pytest
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from terna.errors import (
    BadRequest,
    ClientClosedRequest,
    Overloaded,
    PayloadTooLarge,
    RequestError,
    RequestTimeout,
    UnknownEncoding,
)
from terna.serving.http.request import Request
from terna.serving.http.uploads import Uploads
from terna.settings import Serving
from tests.rsgi import Protocol, RsgiScope

MAX_BODY = 100_000


def uploads(**settings: Any) -> Uploads:
    return Uploads(Serving(max_body_bytes=MAX_BODY, **settings))


def request(protocol: Any, limits: Uploads | None = None, /, **headers: Any) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(RsgiScope("POST", "/invocations", named), protocol, limits or uploads())


@pytest.mark.parametrize("given", ["order-4711.a", "12345678", "x" * 64])
def test_harmless_id_of_client_is_kept(given: str) -> None:
    assert request(Protocol([]), x_request_id=given).id == given


@pytest.mark.parametrize(
    "given", ["", "short", "x" * 65, "a b c d e f", 'x"},{"injected', "Ada-Lovelace\n"]
)
def test_request_without_proper_id_gets_a_new_one(given: str) -> None:
    ids = {request(Protocol([]), x_request_id=given).id for _ in range(2)}

    assert len(ids) == 2
    assert given not in ids


def test_body_declared_over_the_limit_is_not_read() -> None:
    protocol = Protocol([b" " * 1000] * 101)

    with pytest.raises(PayloadTooLarge, match="Send at most 100000 bytes at a time: fewer rows"):
        asyncio.run(request(protocol, content_length="100001").body())

    assert protocol.read == 0


def test_body_without_length_is_read_up_to_the_limit_only() -> None:
    protocol = Protocol([b" " * 1000] * 500)

    with pytest.raises(PayloadTooLarge, match="Send at most 100000 bytes at a time: fewer rows"):
        asyncio.run(request(protocol).body())

    assert protocol.read == 101


@pytest.mark.parametrize("headers", [{}, {"content_length": str(MAX_BODY)}])
def test_body_of_exactly_the_limit_is_read_whole(headers: dict[str, str]) -> None:
    whole = request(Protocol([b"a" * 60_000, b"b" * 40_000]), **headers)

    assert asyncio.run(whole.body()) == b"a" * 60_000 + b"b" * 40_000
    assert whole.size == MAX_BODY


ROWS = b'{"inputs": [[1, 2, 3]]}' * 100


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("gzip", gzip.compress(ROWS)),
        ("x-gzip", gzip.compress(ROWS)),
        ("GZIP", gzip.compress(ROWS)),
        ("deflate", zlib.compress(ROWS)),
        ("identity", ROWS),
    ],
    ids=["gzip", "x-gzip", "capital letters", "deflate", "none"],  # gzip's bytes hold the time
)
def test_compressed_body_is_inflated(encoding: str, sent: bytes) -> None:
    compressed = request(Protocol([sent]), content_encoding=encoding)

    assert asyncio.run(compressed.body()) == ROWS
    assert compressed.size == len(sent)


@pytest.mark.parametrize(
    ("encoding", "sent", "error"),
    [
        ("gzip", ROWS, BadRequest),
        ("deflate", gzip.compress(ROWS), BadRequest),
        ("gzip", gzip.compress(ROWS)[:-9], BadRequest),
        ("gzip", b"", BadRequest),
        ("gzip", gzip.compress(ROWS) + b"more", BadRequest),
        ("br", ROWS, UnknownEncoding),
        ("gzip, gzip", gzip.compress(gzip.compress(ROWS)), UnknownEncoding),
        ("gzip", gzip.compress(b" " * (MAX_BODY + 1)), PayloadTooLarge),
    ],
    ids=[
        *("not compressed", "another encoding", "cut short", "empty", "with more behind it"),
        *("an unknown encoding", "compressed twice", "too large once inflated"),
    ],
)
def test_body_that_cannot_be_inflated_is_refused(
    encoding: str, sent: bytes, error: type[RequestError]
) -> None:
    with pytest.raises(error) as raised:
        asyncio.run(request(Protocol([sent]), content_encoding=encoding).body())
    assert type(raised.value) is error


def test_refused_encoding_is_answered_with_those_that_are_read() -> None:
    assert UnknownEncoding("").headers == (("accept-encoding", "gzip, deflate"),)


def test_inflating_stops_at_the_limit() -> None:
    bomb = request(Protocol([zlib.compress(b" " * 50_000_000)]), content_encoding="deflate")

    with pytest.raises(PayloadTooLarge):
        asyncio.run(bomb.body())

    assert bomb.held <= MAX_BODY + 65_536


@dataclass
class Stalling:
    """A client that sends a part of its body, and no more."""

    part: bytes

    def __aiter__(self) -> "Stalling":
        return self

    async def __anext__(self) -> bytes:
        part, self.part = self.part, b""
        return part or await self()

    async def __call__(self) -> bytes:
        await asyncio.sleep(60)
        return b""


@pytest.mark.parametrize("headers", [{}, {"content_length": "90000"}, {"content_length": "9"}])
def test_body_that_takes_too_long_is_given_up(headers: dict[str, str]) -> None:
    limits = uploads(body_timeout_seconds=0.01)

    async def read() -> None:
        asyncio.get_running_loop().call_later(0.05, limits.cancel_late)
        await request(Stalling(b"{"), limits, **headers).body()

    with pytest.raises(RequestTimeout, match="Send the body within"):
        asyncio.run(asyncio.wait_for(read(), 10))


def test_body_that_is_in_time_is_left_alone() -> None:
    limits = uploads(body_timeout_seconds=60)

    async def read() -> bytes:
        limits.cancel_late()
        return await request(Protocol([ROWS]), limits).body()

    assert asyncio.run(read()) == ROWS


def test_cancellation_of_another_kind_is_no_time_out() -> None:
    async def read() -> None:
        await asyncio.wait_for(request(Stalling(b"")).body(), 0.01)

    with pytest.raises(TimeoutError):
        asyncio.run(read())


class Gone:
    """A client that has closed its connection."""

    async def __call__(self) -> bytes:
        raise ProtocolClosed


@pytest.mark.parametrize(("protocol", "length"), [(Gone(), 9), (Protocol([b"{"]), 90_000)])
def test_body_that_the_client_breaks_off_is_no_failure_of_the_server(
    protocol: Any, length: int
) -> None:
    with pytest.raises(ClientClosedRequest) as raised:
        asyncio.run(request(protocol, content_length=str(length)).body())
    assert raised.value.status == 499


def test_bodies_share_a_budget_until_they_are_given_back() -> None:
    limits = uploads(max_bytes_in_flight=100_000)
    large = b"a" * 70_000
    first, second, third = (request(Protocol([large]), limits) for _ in range(3))

    assert asyncio.run(first.body()) == large
    with pytest.raises(Overloaded):
        asyncio.run(second.body())
    limits.give_back(first.held)
    assert asyncio.run(third.body()) == large


def test_small_body_of_declared_length_is_not_counted() -> None:
    limits = uploads(max_bytes_in_flight=1)
    small = request(Protocol([ROWS]), limits, content_length=str(len(ROWS)))

    assert asyncio.run(small.body()) == ROWS
    assert small.held == 0

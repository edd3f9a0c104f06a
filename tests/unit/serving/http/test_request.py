"""Requests: whose id they have, and how much of a body is read."""

import asyncio

import pytest

from terna.errors import PayloadTooLarge
from terna.serving.http.request import Request
from tests.rsgi import Protocol, Scope

MAX_BODY = 100_000


def request(protocol: Protocol, **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(Scope("POST", "/invocations", named), protocol, MAX_BODY)


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

"""A request to the tracking server: who asks, from where, and what its body says."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

from starlette.types import Message, Receive, Scope

MOST_BYTES = 1_000_000
"""The longest body that is read here: those of the routes concerned have a few hundred bytes."""

NAMED = ("alias", "stage", "key", "new_name", "run_id", "experiment_id", "username", "role_id")
"""Fields that the audit log names beside `name` and `version`; none of them holds a value."""

LONGEST = 100
"""Characters of a login's name, and of a field in the audit log."""


@dataclass(frozen=True)
class Caller:
    """Who says to ask, and from which address."""

    name: str
    address: str


def credentials(scope: Scope) -> tuple[str, str] | None:
    """Return name and password of HTTP's basic authentication; None where there are none."""
    header = dict(scope["headers"]).get(b"authorization", b"")
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon and len(name) <= LONGEST and name.isprintable() else None


def address(scope: Scope) -> str:
    """Return the caller's IP address."""
    return scope["client"][0] if scope.get("client") else ""


async def read_body(receive: Receive) -> bytes | None:
    """Return a request's body; None where it is longer than `MOST_BYTES`."""
    body = b""
    while len(body) <= MOST_BYTES:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body
    return None


def replay(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body again, and then whatever comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


def fields(body: bytes) -> dict[str, Any]:
    """Return a body's JSON object, as MLflow reads it; empty where it is none.

    MLflow takes `runId` for `run_id`, and refuses both in one body: here it is always `run_id`.
    """
    try:
        found = json.loads(body)
        # Older clients encode their JSON twice, and MLflow decodes it twice.
        found = json.loads(found) if isinstance(found, str) else found
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {re.sub("[A-Z]", lambda m: f"_{m[0].lower()}", key): v for key, v in found.items()}


def describe(found: dict[str, Any]) -> str:
    """Return what a request is about in words for the audit log, such as `churn 3 alias=best`."""
    plain = [str(found[field])[:LONGEST] for field in ("name", "version") if found.get(field)]
    named = [f"{field}={str(found[field])[:LONGEST]}" for field in NAMED if found.get(field)]
    return " ".join([*plain, *named])

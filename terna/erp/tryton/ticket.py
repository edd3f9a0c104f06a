"""What a login hands to the browser between two requests, and takes back unread and unchanged."""

import base64
import hmac
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from terna.erp.tryton import keys

SECONDS = 600
"""How long a ticket is taken back."""


def issue(purpose: str, **values: Any) -> str:
    """Return a ticket with these values, encrypted."""
    return _cipher(purpose).encrypt(json.dumps(values).encode()).decode()


def read(purpose: str, ticket: str) -> dict[str, Any] | None:
    """Return the values of a ticket for this purpose, if it is one of ours and not too old."""
    try:
        values: dict[str, Any] = json.loads(_cipher(purpose).decrypt(ticket.encode(), SECONDS))
    except InvalidToken:
        return None
    return values


def _cipher(purpose: str) -> Fernet:
    # A key of its own, so that no encrypted column passes for a ticket.
    key = hmac.digest(keys.keys(keys.IDENTITY)[0], f"ticket: {purpose}".encode(), "sha256")
    return Fernet(base64.urlsafe_b64encode(key))

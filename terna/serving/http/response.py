"""What goes back to a client, whoever decided it."""

from typing import Any, NamedTuple

import msgspec

from terna.contracts.scoring import JSON
from terna.predictor.predictor import Predictor

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"

Headers = tuple[tuple[str, str], ...]


class Response(NamedTuple):
    """One response."""

    body: bytes = b"\n"
    status: int = 200
    content_type: str = JSON
    model: Predictor | None = None
    """Who answers."""
    path: str = ""
    """By which path, where it is not the model's usual one."""
    rows: int = 0
    """How many were predicted."""
    more: Headers = ()
    """Headers that only this kind of answer has."""

    def headers(self, request_id: str) -> list[tuple[str, str]]:
        """All that goes before the body."""
        headers = [("content-type", self.content_type), ("x-request-id", request_id), *self.more]
        if self.model:
            version = self.model.version
            headers += [
                ("x-model-name", version.name),
                ("x-model-version", str(version.number)),
                ("x-model-backend", self.path or self.model.path),
            ]
        return headers


def said(document: Any, model: Predictor | None = None) -> Response:
    """A document as JSON."""
    return Response(msgspec.json.encode(document), model=model)

"""What goes back to a client, whoever decided it."""

from typing import Any, NamedTuple

import msgspec

from terna.contracts.scoring import JSON
from terna.serving.model import LoadedModel

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"

Headers = tuple[tuple[str, str], ...]


class Answer(NamedTuple):
    """One response."""

    body: bytes = b"\n"
    status: int = 200
    content_type: str = JSON
    headers: Headers = ()


def names(model: LoadedModel, path: str | None = None) -> Headers:
    """The headers that say who answers, and how."""
    return (
        ("x-model-name", model.version.name),
        ("x-model-version", str(model.version.number)),
        ("x-model-path", path or model.path),
    )


def said(document: Any, headers: Headers = ()) -> Answer:
    """A document as JSON."""
    return Answer(msgspec.json.encode(document), headers=headers)

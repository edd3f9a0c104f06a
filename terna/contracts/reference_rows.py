"""Reference rows: a request and what the model answered to it in training.

They travel in the signed model directory as one document, a request of the scoring protocol beside
the predictions of its response, so that serving asks a version for them as clients ask.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from terna.contracts.scoring import decode
from terna.errors import BadRequest

FILE = "reference.json"
MOST_ROWS = 200
PREDICTIONS = "predictions"


class ReferenceRows(NamedTuple):
    """What is asked, and what is to be answered."""

    request: Mapping[str, Any]
    """The document that a client sends, in any form that the model takes."""
    predictions: Any
    """What JSON has below `predictions` of the response; of a language model, the response."""

    def first_row(self) -> Mapping[str, Any]:
        """Return the request for the first row only, where its form has rows."""
        return {form: _first_row(form, value) for form, value in self.request.items()}


def write(model: Path, request: Mapping[str, Any], predictions: Any) -> None:
    """Put a request and the predictions for it, both of what JSON knows, into a model directory."""
    Path(model, FILE).write_text(json.dumps({**request, PREDICTIONS: predictions}))


def read(model: Path) -> ReferenceRows:
    """Return the reference rows of a model directory.

    Raises:
        OSError: the file cannot be read.
        BadRequest: it is no such document.
    """
    document = decode(Path(model, FILE).read_bytes())
    if not isinstance(document, dict) or PREDICTIONS not in document or len(document) < 2:
        raise BadRequest(f"{FILE} must be a request with its '{PREDICTIONS}'.")
    predictions = document.pop(PREDICTIONS)
    return ReferenceRows(document, predictions)


def _first_row(form: str, value: Any) -> Any:
    if form == "dataframe_split" and isinstance(value, dict):
        return {key: cells if key == "columns" else cells[:1] for key, cells in value.items()}
    if form in ("inputs", "instances") and isinstance(value, dict):
        return {name: _first(cells) for name, cells in value.items()}
    return _first(value) if form in ("dataframe_records", "inputs", "instances") else value


def _first(rows: Any) -> Any:
    return rows[:1] if isinstance(rows, list) else rows

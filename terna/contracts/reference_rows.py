"""Reference rows: customers and the labels that the model gave them in training.

They travel in the signed model directory as a request of the scoring protocol with its response,
so that serving asks a version for them as clients ask.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from terna.contracts.scoring import Table, decode, parse
from terna.errors import BadRequest

FILE = "reference.json"
MOST_ROWS = 200


def write(model: Path, rows: Table, predictions: Sequence[Any]) -> None:
    """Put n rows of raw feature values and the label of each into a model directory."""
    request = {"dataframe_split": {"columns": rows.columns, "data": rows.values}}
    write_document(model, request, predictions)


def write_document(model: Path, request: Mapping[str, Any], predictions: Any) -> None:
    """Put a request in any of MLflow's forms and the predictions for it into a model directory."""
    Path(model, FILE).write_text(json.dumps({**request, "predictions": predictions}))


def read(model: Path) -> tuple[Table, Sequence[Any]]:
    """Return the rows of a model directory, and the label of each.

    Raises:
        OSError: the file cannot be read.
        BadRequest: it is no such document.
    """
    document = decode(Path(model, FILE).read_bytes())
    rows = parse(document)
    predictions = document.get("predictions")
    if not isinstance(predictions, list):
        raise BadRequest(f"'predictions' of {FILE} must be a list.")
    return rows, predictions

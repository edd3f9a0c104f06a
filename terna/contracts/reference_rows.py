"""Reference rows: customers and the labels that the model gave them in training.

They travel in the signed model directory as a request of the scoring protocol with its answer, so
that serving checks a version through the same door that clients use.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from terna.contracts.scoring import Table, parse

FILE = "reference.json"
MOST_ROWS = 200


def write(model: Path, rows: Table, predictions: Sequence[Any]) -> None:
    """Put n rows of raw feature values and the label of each into a model directory."""
    request = {"dataframe_split": {"columns": rows.columns, "data": rows.values}}
    Path(model, FILE).write_text(json.dumps(request | {"predictions": predictions}))


def read(model: Path) -> tuple[Table, Sequence[Any]]:
    """The rows of a model directory, and the label of each.

    Raises:
        OSError, ValueError, KeyError, BadRequest: the file is missing or no such document.
    """
    content = Path(model, FILE).read_bytes()
    return parse(content), json.loads(content)["predictions"]

"""The check that a version gives the labels that training recorded."""

import json
from pathlib import Path
from typing import Any, Protocol

from terna.contracts import reference_rows
from terna.contracts.scoring import JSON, ScoringRequest, Table
from terna.contracts.version import Version
from terna.errors import BadRequest, ReferenceMismatch, RequestError
from terna.predictor.compiled_predictor import Prediction


class Answerer(Protocol):
    """What is checked: a predictor, or a deployment."""

    version: Version

    def predict(self, request: ScoringRequest) -> Prediction:
        """Return what MLflow's scoring server responds."""


def check_reference_rows(predictor: Answerer, folder: Path) -> None:
    """Compare predictions for the reference rows of a model directory with training's labels.

    This also warms the predictor up.

    Raises:
        ReferenceMismatch: the labels differ, or there are no reference rows.
    """
    version = predictor.version
    try:
        table, expected = reference_rows.read(folder)
    except (OSError, BadRequest) as error:
        raise ReferenceMismatch(f"{version} has no reference rows.") from error
    try:
        labels = _predict(predictor, table)
    except RequestError as error:
        raise ReferenceMismatch(f"{version} fails on its reference rows.") from error
    if not _is_finite(labels):
        raise ReferenceMismatch(f"{version} answers NaN on its reference rows.")
    different = sum(a != b for a, b in zip(labels, expected, strict=False))
    if not labels or len(labels) != len(expected) or different:
        raise ReferenceMismatch(
            f"{version} answers {different} of {len(expected)} reference rows other than"
            " training recorded."
        )


def _is_finite(labels: list[Any]) -> bool:
    try:
        json.dumps(labels, allow_nan=False)
    except ValueError:
        return False
    return True


def _predict(predictor: Answerer, table: Table) -> list[Any]:
    split = {"columns": table.columns, "data": table.values}
    request = ScoringRequest(JSON, json.dumps({"dataframe_split": split}).encode())
    labels: list[Any] = json.loads(predictor.predict(request).body)["predictions"]
    return labels

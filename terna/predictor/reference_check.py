"""The check that a version gives the labels that training recorded."""

import json
from pathlib import Path
from typing import Any

from terna.contracts import reference_rows
from terna.errors import BadRequest, ReferenceMismatch, RequestError
from terna.predictor.predictor import Predictor


def check_reference_rows(predictor: Predictor, folder: Path) -> None:
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
        labels = predictor.predict_table(table)
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

"""The check that a version answers its reference rows as it did in training."""

import json
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol

from terna.contracts import reference_rows
from terna.contracts.reference_rows import PREDICTIONS, ReferenceRows
from terna.contracts.scoring import JSON, ScoringRequest
from terna.contracts.version import Version
from terna.errors import BadRequest, ReferenceMismatch
from terna.predictor.compiled_predictor import Prediction


class Answerer(Protocol):
    """What is checked: a predictor, or a deployment."""

    version: Version

    def predict(self, request: ScoringRequest) -> Prediction:
        """Return what MLflow's scoring server responds."""


def check_reference_rows(predictor: Answerer, folder: Path) -> None:
    """Compare a version's answer to its reference rows with the one that training recorded.

    Both are compared as JSON documents, in full and exactly, whatever the model answers: labels,
    numbers, records, scalars. This also warms the predictor up.

    Raises:
        ReferenceMismatch: the answers differ, or hold NaN, or there are no reference rows.
    """
    version = predictor.version
    rows = _read(predictor, folder)
    answers = _texts(predictor, _ask(predictor, rows))
    expected = _texts(predictor, rows.predictions)
    different = sum(a != b for a, b in zip_longest(answers, expected))
    if different or not answers:
        raise ReferenceMismatch(
            f"{version} answers {different} of {max(len(answers), len(expected))} reference rows"
            " other than training recorded."
        )


def _read(predictor: Answerer, folder: Path) -> ReferenceRows:
    try:
        return reference_rows.read(folder)
    except (OSError, BadRequest) as error:
        raise ReferenceMismatch(f"{predictor.version} has no reference rows.") from error


def _ask(predictor: Answerer, rows: ReferenceRows) -> Any:
    try:
        response = json.loads(predictor.predict(scoring_request(rows.request)).body)
    except Exception as error:  # a model may raise anything
        raise ReferenceMismatch(f"{predictor.version} fails on its reference rows.") from error
    return response[PREDICTIONS] if _is_wrapped(response) else response


def scoring_request(document: Any) -> ScoringRequest:
    """Return a document as the request that a client sends."""
    return ScoringRequest(JSON, json.dumps(document).encode())


def _is_wrapped(response: Any) -> bool:
    """Return whether it is in MLflow's envelope, as all but those of language models are."""
    return isinstance(response, dict) and response.keys() == {PREDICTIONS}


def _texts(predictor: Answerer, predictions: Any) -> list[str]:
    """Return a text for each prediction, which is the same only where the JSON is.

    Not compared by `==`, for which 1, 1.0 and true are one value.
    """
    try:
        if not isinstance(predictions, list):
            return [f"no list: {json.dumps(predictions, sort_keys=True, allow_nan=False)}"]
        return [json.dumps(item, sort_keys=True, allow_nan=False) for item in predictions]
    except ValueError as error:
        raise ReferenceMismatch(
            f"{predictor.version} answers NaN on its reference rows."
        ) from error

"""What a client makes of a response."""

import json
from typing import Any

import httpx
import pytest

from terna.erp.predictions import (
    Prediction,
    Predictions,
    Probabilities,
    read_labels,
    read_probabilities,
)

HEADERS = {"x-model-name": "churn", "x-model-version": "7"}


def response(**content: Any) -> httpx.Response:
    return httpx.Response(200, headers=HEADERS, content=json.dumps(content))


def test_labels_are_read_with_their_version() -> None:
    read = read_labels(response(predictions=["no", "yes"]), 2)
    assert read == Predictions(["no", "yes"], "churn", 7)


def test_probabilities_are_read_by_class() -> None:
    read = read_probabilities(response(predictions=[[0.25, 0.75]], classes=["no", "yes"]), 1)
    assert read == Probabilities([{"no": 0.25, "yes": 0.75}], 7)


@pytest.mark.parametrize("predictions", [[], ["no"], ["no"] * 3, {"0": "no", "1": "no"}, "no"])
def test_another_number_of_labels_than_of_customers_is_no_answer(predictions: Any) -> None:
    with pytest.raises(ValueError, match="number of rows"):
        read_labels(response(predictions=predictions), 2)


def test_another_number_of_probabilities_than_of_classes_is_no_answer() -> None:
    with pytest.raises(ValueError, match="zip"):
        read_probabilities(response(predictions=[[0.25]], classes=["no", "yes"]), 1)


def test_predictions_iterate_by_customer_with_the_probability_of_each_label() -> None:
    rows = [{0: 0.6, 1: 0.4}, {0: 0.7, 1: 0.3}]
    found = Predictions([0, 1], "churn", 7, list(rows))  # by a threshold of 0.3
    assert list(found) == [Prediction(0, 0.6, "churn", 7), Prediction(1, 0.3, "churn", 7)]
    assert len(found) == 2


def test_without_probabilities_there_is_none() -> None:
    assert [each.probability for each in Predictions(["no"], "churn", 7)] == [None]

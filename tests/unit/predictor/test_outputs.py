"""Responses are written to the byte as MLflow writes them."""

from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.pyfunc.scoring_server import predictions_to_json

from terna.errors import InternalError
from terna.predictor.outputs import render


@pytest.mark.parametrize(
    "predictions",
    [
        ["yes", "no"],
        np.array([0.25, np.nan]),
        np.array([[1, 2], [3, 4]]),
        pd.Series(["a", "b"]),
        pd.DataFrame({"share": [0.5], "label": ["客"]}),
        {"label": np.array(["yes"])},
    ],
    ids=["list", "numbers", "matrix", "series", "frame", "named arrays"],
)
def test_response_equals_that_of_mlflow(predictions: Any) -> None:
    expected = StringIO()
    predictions_to_json(predictions, expected)

    assert render(predictions) == expected.getvalue().encode()


def test_response_of_language_model_has_no_predictions_key() -> None:
    assert render({"choices": [1]}, wrapped=False) == b'{"choices": [1]}'


def test_predictions_that_json_cannot_hold_raise_internal_error() -> None:
    with pytest.raises(InternalError, match="cannot be written as JSON"):
        render([object()])

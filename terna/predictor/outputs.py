"""What a model returns, written as the body of a response."""

from typing import Any

from terna.errors import InternalError
from terna.predictor.mlflow_private import NumpyEncoder, jsonable

_ENCODER = NumpyEncoder()


def render(predictions: Any, wrapped: bool = True) -> bytes:
    """Return the body of a response, to the byte as MLflow's `predictions_to_json` writes it.

    Args:
        wrapped: whether the predictions go below the key `predictions`.

    Raises:
        InternalError: the model returned something that JSON cannot hold.
    """
    try:
        document = jsonable(predictions, pandas_orient="records")
        # Not MLflow's `json.dump`, which leaves the encoder in C unused.
        text: str = _ENCODER.encode({"predictions": document} if wrapped else document)
    except Exception as error:
        raise InternalError("The model's answer cannot be written as JSON.") from error
    return text.encode()

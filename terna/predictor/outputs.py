"""What a model returns, as clients get it."""

from typing import Any

from mlflow.utils.proto_json_utils import NumpyEncoder, _get_jsonable_obj

from terna.errors import InternalError

_ENCODER = NumpyEncoder()


def as_json(predictions: Any, wrapped: bool = True) -> bytes:
    """A body to the byte as MLflow's `predictions_to_json` writes it.

    Raises:
        InternalError: the model returned something that JSON cannot hold.
    """
    try:
        answer = _get_jsonable_obj(predictions, pandas_orient="records")
        # Not MLflow's `json.dump`, which leaves the encoder in C unused.
        text: str = _ENCODER.encode({"predictions": answer} if wrapped else answer)
    except Exception as error:
        raise InternalError("The model's answer cannot be written as JSON.") from error
    return text.encode()

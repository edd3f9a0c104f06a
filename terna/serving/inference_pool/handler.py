"""A call, answered by a predictor."""

from collections.abc import Callable

import msgspec

from terna.contracts import open_inference
from terna.contracts.open_inference import InferenceRequest
from terna.errors import BadRequest
from terna.predictor import tensors
from terna.predictor.compiled_predictor import Prediction
from terna.predictor.predictor import Predictor
from terna.serving.http import openapi
from terna.serving.inference_pool.calls import Call, Describe, Infer, Page, Predict


def handle(
    predictor: Predictor, call: Call, limit: Callable[[float], object] = lambda _seconds: None
) -> Prediction:
    """Return the response to a call.

    Args:
        limit: called before the model predicts, with the seconds that the request sets itself.

    Raises:
        RequestError: any subclass.
    """
    match call:
        case Predict():
            return predictor.predict(call.request())
        case Infer():
            request = open_inference.parse(call.body, call.header_length)
            if seconds := _time_limit(request):
                limit(seconds)
            return predictor.infer(request)
        case Describe():
            return Prediction(_describe(predictor, call.page), predictor.backend, rows=0)


def _time_limit(request: InferenceRequest) -> float:
    """Return the seconds of Triton's parameter `timeout`, which is in microseconds; 0 without."""
    timeout = request.parameters.get("timeout", 0)
    if not isinstance(timeout, int) or timeout < 0:
        raise BadRequest("The parameter 'timeout' must be a whole number of microseconds.")
    return timeout / 1_000_000


def _describe(predictor: Predictor, page: Page) -> bytes:
    match page:
        case "metadata":
            return _metadata(predictor)
        case "openapi":
            return openapi.document(predictor)
        case "docs":
            return openapi.page(predictor)


def _metadata(predictor: Predictor) -> bytes:
    """Return the tensors that the model takes and returns, as the protocol has them."""
    metadata = predictor.pyfunc().metadata
    document = {
        "name": predictor.version.name,
        "versions": [str(predictor.version.number)],
        "platform": "mlflow",
        "inputs": tensors.describe_inputs(metadata.get_input_schema()),
        "outputs": tensors.describe_outputs(metadata.get_output_schema()),
        "parameters": {"backend": predictor.backend},
    }
    return msgspec.json.encode(document)

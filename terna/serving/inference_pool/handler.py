"""A call, answered by a predictor."""

from collections.abc import Callable

import msgspec

from terna.contracts import open_inference
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
            if request.timeout_seconds:
                limit(request.timeout_seconds)
            return predictor.infer(request)
        case Describe():
            return Prediction(_describe(predictor, call.page), predictor.backend, rows=0)


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
        "parameters": {"backend": predictor.backend, "classes": predictor.pyfunc().classes},
    }
    return msgspec.json.encode(document)

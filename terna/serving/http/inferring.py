"""What the Open Inference Protocol asks of a model: its tensors, and predictions as tensors."""

from typing import Any

from terna.contracts import open_inference
from terna.contracts.open_inference import HEADER_LENGTH, InferenceRequest
from terna.contracts.scoring import Table
from terna.errors import InternalError
from terna.predictor import tensors
from terna.predictor.predictor import COMPILED, Predictor
from terna.serving.http.response import Response, said

BINARY = "application/octet-stream"


def metadata(model: Predictor) -> Response:
    """The tensors that the model takes and returns, and how it answers."""
    document = {
        "name": model.version.name,
        "versions": [str(model.version.number)],
        "platform": "mlflow",
        "inputs": tensors.describe_inputs(model.original.metadata.get_input_schema()),
        "outputs": tensors.describe_outputs(model.original.metadata.get_output_schema()),
        "parameters": {"backend": model.path},
    }
    return said(document, model)


def infer(model: Predictor, body: bytes, header_length: str) -> Response:
    """The model's predictions as tensors.

    Raises:
        RequestError: each kind of it.
    """
    question = open_inference.parse(body, header_length)
    table = tensors.rows(question, model.original.metadata.get_input_schema())
    answer = _compiled(model, question, table) or _by_mlflow(model, question, table)
    return answer._replace(rows=tensors.count(question))


def _compiled(model: Predictor, question: InferenceRequest, table: Table | None) -> Response | None:
    whole = table is not None and list(table.columns or ()) == model.original.names
    predictions = model.predict_rows(table.values) if table and whole else None
    return None if predictions is None else _rendered(model, question, predictions, COMPILED)


def _by_mlflow(model: Predictor, question: InferenceRequest, table: Table | None) -> Response:
    def words() -> str:
        return original.wrong_with(table) if table else ""

    original = model.original
    inputs = original.fit(lambda: tensors.inputs(question, table, original.metadata), words)
    predictions, path = original.predict(inputs, words, model.program)
    return _rendered(model, question, predictions, path)


def _rendered(
    model: Predictor, question: InferenceRequest, predictions: Any, path: str
) -> Response:
    named = tensors.outputs(predictions, model.original.metadata.get_output_schema())
    version = model.version
    try:
        body, length = open_inference.render(version.name, str(version.number), question, named)
    except (TypeError, ValueError) as error:
        raise InternalError("The model's answer is no tensor.") from error
    answer = Response(body, model=model, path=path)
    if length is None:
        return answer
    return answer._replace(content_type=BINARY, more=((HEADER_LENGTH, str(length)),))

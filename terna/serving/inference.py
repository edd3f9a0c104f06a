"""What serving answers to the Open Inference Protocol, without HTTP."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import msgspec
from mlflow.version import VERSION

from terna.contracts import inference
from terna.contracts.errors import InternalError, NotFound, RequestError
from terna.contracts.inference import HEADER_LENGTH, Question
from terna.contracts.scoring import Rows
from terna.serving import tensors
from terna.serving.answers import Answer, Headers, names
from terna.serving.model import COMPILED, FEW_ROWS, LoadedModel
from terna.serving.slot import Slot

BINARY = "application/octet-stream"
FEW_BYTES = 4_096
"""What is parsed at once: tensors take a few times as long as the rows of `/invocations`."""

T = TypeVar("T")


class Threads(Protocol):
    """Where work goes that would keep other requests waiting."""

    async def in_thread(self, work: Callable[..., T], *args: Any) -> T: ...


class Inference:
    """The routes under `/v2` for one model."""

    def __init__(self, slot: Slot, threads: Threads) -> None:
        self._slot = slot
        self._threads = threads

    async def server(self) -> Answer:
        """The server's name and what it knows beyond the protocol."""
        extensions = list(inference.EXTENSIONS)
        return _said({"name": "terna", "version": VERSION, "extensions": extensions})

    async def live(self) -> Answer:
        return _said({"live": True})

    async def ready(self) -> Answer:
        """Ready when a model answers."""
        return _said({"ready": True}, names(self._slot.take()))

    async def models(self) -> Answer:
        """The names of the models here: one, or none yet."""
        model = self._slot.model
        return _said({"models": [model.version.name] if model else []})

    async def metadata(self, name: str, version: str | None) -> Answer:
        """The tensors that the model takes and returns, and how it answers."""
        model = self._take(name, version)
        document = {
            "name": model.version.name,
            "versions": [str(model.version.number)],
            "platform": "mlflow",
            "inputs": tensors.describe_inputs(model.metadata.get_input_schema()),
            "outputs": tensors.describe_outputs(model.metadata.get_output_schema()),
            "parameters": {"path": model.path},
        }
        return _said(document, names(model))

    async def model_ready(self, name: str, version: str | None) -> Answer:
        model = self._take(name, version)
        return _said({"name": model.version.name, "ready": True}, names(model))

    async def infer(
        self, name: str, version: str | None, header_length: str, body: bytes
    ) -> Answer:
        """The model's predictions as tensors.

        Raises:
            RequestError: each kind of it.
        """
        model = self._take(name, version)
        if len(body) > FEW_BYTES:
            return await self._threads.in_thread(_infer, model, body, header_length)
        question = inference.parse(body, header_length)
        if at_once := _at_once(model, question):
            return at_once
        return await self._threads.in_thread(_answer, model, question)

    def refusal(self, error: RequestError) -> Answer:
        """A status, and one line for a person."""
        return Answer(inference.render_error(str(error)), error.status)

    def _take(self, name: str, version: str | None) -> LoadedModel:
        model = self._slot.take()
        if name != model.version.name:
            raise NotFound("There is no such model here: GET /v2/models names it.")
        if version is not None and version != str(model.version.number):
            raise NotFound(f"Version {model.version.number} is in production, not that one.")
        return model


def _infer(model: LoadedModel, body: bytes, header_length: str) -> Answer:
    return _answer(model, inference.parse(body, header_length))


def _answer(model: LoadedModel, question: Question) -> Answer:
    table = tensors.rows(question, model.metadata.get_input_schema())
    answer = _compiled(model, question, table)
    return answer or _by_mlflow(model, question, table)


def _at_once(model: LoadedModel, question: Question) -> Answer | None:
    if not model.compiled:
        return None
    table = tensors.rows(question, model.metadata.get_input_schema())
    few = table is not None and len(table.values) <= FEW_ROWS
    return _compiled(model, question, table) if few else None


def _compiled(model: LoadedModel, question: Question, table: Rows | None) -> Answer | None:
    whole = table is not None and list(table.columns or ()) == model.names
    predictions = model.predict_rows(table.values) if table and whole else None
    return None if predictions is None else _rendered(model, question, predictions, COMPILED)


def _by_mlflow(model: LoadedModel, question: Question, table: Rows | None) -> Answer:
    def words() -> str:
        return model.wrong_with(table) if table else ""

    inputs = model.fit(lambda: tensors.inputs(question, table, model.metadata), words)
    predictions, path = model.predict_inputs(inputs, words)
    return _rendered(model, question, predictions, path)


def _rendered(model: LoadedModel, question: Question, predictions: Any, path: str) -> Answer:
    named = tensors.outputs(predictions, model.metadata.get_output_schema())
    version = model.version
    try:
        body, length = inference.render(version.name, str(version.number), question, named)
    except (TypeError, ValueError) as error:
        raise InternalError("The model's answer is no tensor.") from error
    headers = names(model, path)
    if length is None:
        return Answer(body, headers=headers)
    return Answer(body, content_type=BINARY, headers=(*headers, (HEADER_LENGTH, str(length))))


def _said(document: Any, headers: Headers = ()) -> Answer:
    return Answer(msgspec.json.encode(document), headers=headers)

"""What serving answers to the Open Inference Protocol, without HTTP."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Protocol, TypeVar

from terna.contracts import open_inference
from terna.errors import NotFound, RequestError
from terna.predictor.predictor import Predictor
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http.response import Response, said

T = TypeVar("T")


class Threads(Protocol):
    """Where work goes that would keep other requests waiting."""

    async def run(self, size: int, work: Callable[..., T], *args: Any) -> T: ...


class Inference:
    """The routes under `/v2` for one model."""

    def __init__(self, slot: ActiveModel, threads: Threads) -> None:
        self._slot = slot
        self._threads = threads

    async def server(self) -> Response:
        """The server's name and what it knows beyond the protocol."""
        extensions = list(open_inference.EXTENSIONS)
        return said({"name": "terna", "version": version("terna"), "extensions": extensions})

    async def live(self) -> Response:
        return said({"live": True})

    async def ready(self) -> Response:
        """Ready when a model answers."""
        return said({"ready": True}, self._slot.take())

    async def models(self) -> Response:
        """The names of the models here: one, or none yet."""
        model = self._slot.model
        return said({"models": [model.version.name] if model else []})

    async def metadata(self, name: str, version: str | None) -> Response:
        """The tensors that the model takes and returns, and how it answers."""
        return await self._threads.run(0, _metadata, self._take(name, version))

    async def model_ready(self, name: str, version: str | None) -> Response:
        model = self._take(name, version)
        return said({"name": model.version.name, "ready": True}, model)

    async def infer(
        self, name: str, version: str | None, header_length: str, body: bytes
    ) -> Response:
        """The model's predictions as tensors.

        Raises:
            RequestError: each kind of it.
        """
        model = self._take(name, version)
        return await self._threads.run(len(body), _infer, model, body, header_length)

    def refusal(self, error: RequestError) -> Response:
        """A status, and one line for a person."""
        return Response(open_inference.render_error(str(error)), error.status, more=error.headers)

    def _take(self, name: str, version: str | None) -> Predictor:
        model = self._slot.take()
        if name != model.version.name:
            raise NotFound("There is no such model here: GET /v2/models names it.")
        if version is not None and version != str(model.version.number):
            raise NotFound(f"Version {model.version.number} is in production, not that one.")
        return model


# What reads tensors needs the model's signature, MLflow and pandas: it is brought when asked for.


def _infer(model: Predictor, body: bytes, header_length: str) -> Response:
    from terna.serving.http import inferring

    return inferring.infer(model, body, header_length)


def _metadata(model: Predictor) -> Response:
    from terna.serving.http import inferring

    return inferring.metadata(model)

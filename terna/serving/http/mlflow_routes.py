"""What serving answers, without HTTP: a handler takes bytes and decides."""

from collections.abc import Callable
from importlib.metadata import version
from typing import ParamSpec, TypeVar

from terna.contracts.scoring import render, render_error
from terna.errors import RequestError, UnsupportedMediaType
from terna.predictor.predictor import COMPILED, FEW_ROWS, Predictor
from terna.serving import metrics
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http.executors import Executor
from terna.serving.http.open_inference_routes import Inference
from terna.serving.http.response import HTML, TEXT, Response
from terna.settings import Serving

FEW_BYTES = 16_384
"""What is parsed at once: in less time than handing it to a thread costs, 30 to 50 µs."""

MANY_BYTES = 65_536
"""From here on a body takes a place of its own, so that it keeps no small one waiting."""

P = ParamSpec("P")
T = TypeVar("T")


class Handlers:
    """MLflow's routes for one model, its description, and the Open Inference Protocol."""

    def __init__(self, slot: ActiveModel, serving: Serving) -> None:
        self._slot = slot
        self._few = Executor(serving.threads, serving.max_queue, serving.timeout_seconds)
        self._many = Executor(1, serving.max_queue, serving.timeout_seconds)
        self.inference = Inference(slot, self)

    async def invocations(self, content_type: str, body: bytes) -> Response:
        """What MLflow's scoring server answers.

        Raises:
            RequestError: each kind of it.
        """
        model = self._slot.take()
        at_once = _at_once(model, content_type, body)
        if at_once is not None:
            return at_once
        said = await self.run(len(body), model.answer, content_type, body)
        return Response(said.body, model=model, path=said.path, rows=said.rows)

    async def ping(self) -> Response:
        """Well when a model answers."""
        return Response(model=self._slot.take())

    async def version(self) -> Response:
        """MLflow's version, as its own scoring server says it; the model's is in the headers."""
        return Response(version("mlflow-skinny").encode(), model=self._slot.model)

    async def metrics(self) -> Response:
        """What Prometheus scrapes, of all workers."""
        return Response(await self.run(0, metrics.page), content_type=metrics.CONTENT_TYPE)

    async def openapi(self) -> Response:
        """The routes, with the live model's signature and example, for programs."""
        model = self._slot.take()
        return await self.run(0, _document, model)

    async def docs(self) -> Response:
        """The same for people."""
        model = self._slot.take()
        return await self.run(0, _page, model)

    def refusal(self, error: RequestError) -> Response:
        """A status, MLflow's error code, and one line for a person."""
        if isinstance(error, UnsupportedMediaType):
            return Response(str(error).encode(), error.status, TEXT)
        body = render_error(error.error_code, str(error))
        return Response(body, error.status, more=error.headers)

    async def run(self, size: int, work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """Work that would keep other requests waiting.

        Args:
            size: of the request's body, in bytes.

        Raises:
            Overloaded, TimedOut: there is too much of it, or it takes too long.
        """
        pool = self._many if size >= MANY_BYTES else self._few
        return await pool.run(work, *args, **more)

    def close(self) -> None:
        self._few.close()
        self._many.close()


# The original of a compiled model, MLflow and pandas take seconds to come: in a thread, when asked.


def _document(model: Predictor) -> Response:
    from terna.serving.http import openapi

    return Response(openapi.document(model), model=model)


def _page(model: Predictor) -> Response:
    from terna.serving.http import openapi

    return Response(openapi.page(model), content_type=HTML, model=model)


def _at_once(model: Predictor, content_type: str, body: bytes) -> Response | None:
    if len(body) > FEW_BYTES:
        return None
    rows = model.plain_rows(content_type, body)
    if not rows or len(rows) > FEW_ROWS:
        return None
    predictions = model.predict_rows(rows)
    if predictions is None:
        return None
    return Response(render(predictions), model=model, path=COMPILED, rows=len(rows))

"""What serving answers, without HTTP: a handler takes bytes and decides."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import ParamSpec, TypeVar

from terna.contracts.errors import RequestError, UnsupportedMediaType
from terna.contracts.scoring import render, render_error
from terna.serving.answers import HTML, TEXT, Answer, names
from terna.serving.inference import Inference
from terna.serving.model import COMPILED, FEW_ROWS, LoadedModel
from terna.serving.slot import Slot

FEW_BYTES = 16_384
"""What is parsed at once: in less time than handing it to a thread costs, 30 to 50 µs."""

P = ParamSpec("P")
T = TypeVar("T")


class Handlers:
    """MLflow's routes for one model, its description, and the Open Inference Protocol."""

    def __init__(self, slot: Slot, threads: int) -> None:
        self._slot = slot
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="predict")
        self.inference = Inference(slot, self)

    async def invocations(self, content_type: str, body: bytes) -> Answer:
        """What MLflow's scoring server answers.

        Raises:
            RequestError: each kind of it.
        """
        model = self._slot.take()
        at_once = _at_once(model, content_type, body)
        if at_once is not None:
            return Answer(at_once, headers=names(model, COMPILED))
        said, path = await self.in_thread(model.answer, content_type, body)
        return Answer(said, headers=names(model, path))

    async def ping(self) -> Answer:
        """Well when a model answers."""
        return Answer(headers=names(self._slot.take()))

    async def version(self) -> Answer:
        """MLflow's version, as its own scoring server says it; the model's is in the headers."""
        model = self._slot.model
        return Answer(version("mlflow-skinny").encode(), headers=names(model) if model else ())

    async def openapi(self) -> Answer:
        """The routes, with the live model's signature and example, for programs."""
        model = self._slot.take()
        return await self.in_thread(_document, model)

    async def docs(self) -> Answer:
        """The same for people."""
        model = self._slot.take()
        return await self.in_thread(_page, model)

    def refusal(self, error: RequestError) -> Answer:
        """A status, MLflow's error code, and one line for a person."""
        if isinstance(error, UnsupportedMediaType):
            return Answer(str(error).encode(), error.status, TEXT)
        return Answer(render_error(error.error_code, str(error)), error.status)

    async def in_thread(self, work: Callable[P, T], *args: P.args, **_: P.kwargs) -> T:
        """Work that would keep other requests waiting."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, work, *args)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


# The original of a compiled model, MLflow and pandas take seconds to come: in a thread, when asked.


def _document(model: LoadedModel) -> Answer:
    from terna.serving import openapi

    return Answer(openapi.document(model), headers=names(model))


def _page(model: LoadedModel) -> Answer:
    from terna.serving import openapi

    return Answer(openapi.page(model), content_type=HTML, headers=names(model))


def _at_once(model: LoadedModel, content_type: str, body: bytes) -> bytes | None:
    if len(body) > FEW_BYTES:
        return None
    rows = model.plain_rows(content_type, body)
    predictions = model.predict_rows(rows) if rows and len(rows) <= FEW_ROWS else None
    return None if predictions is None else render(predictions)

"""What serving answers, without HTTP: a handler takes bytes and decides."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from mlflow.version import VERSION

from terna.contracts.errors import RequestError, UnsupportedMediaType
from terna.contracts.scoring import JSON, render_error
from terna.serving.model import Answered, LoadedModel
from terna.serving.slot import Slot

TEXT = "text/plain; charset=utf-8"

FEW_BYTES = 16_384
FEW_ROWS = 16
"""What a compiled model answers at once, in less time than handing it to a thread costs the others
that wait (30 to 50 µs). Everything larger goes to a thread, so that it does not starve them."""


@dataclass(frozen=True)
class Answer:
    """One response."""

    body: bytes = b"\n"
    status: int = 200
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = field(default=())


class Handlers:
    """MLflow's routes for one model."""

    def __init__(self, slot: Slot, threads: int) -> None:
        self._slot = slot
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="predict")

    async def invocations(self, content_type: str, body: bytes) -> Answer:
        """What MLflow's scoring server answers.

        Raises:
            RequestError: each kind of it.
        """
        model = self._slot.take()
        answered = _at_once(model, content_type, body)
        if answered is None:
            loop = asyncio.get_running_loop()
            answered = await loop.run_in_executor(self._threads, model.answer, content_type, body)
        return Answer(answered.body, headers=names(model, answered.path))

    async def ping(self) -> Answer:
        """Well when a model answers."""
        return Answer(headers=names(self._slot.take()))

    async def version(self) -> Answer:
        """MLflow's version, as its own scoring server says it; the model's is in the headers."""
        model = self._slot.model
        return Answer(VERSION.encode(), headers=names(model) if model else ())

    def refusal(self, error: RequestError) -> Answer:
        """A status, MLflow's error code, and one line for a person."""
        if isinstance(error, UnsupportedMediaType):
            return Answer(str(error).encode(), error.status, TEXT)
        return Answer(render_error(error.error_code, str(error)), error.status)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def names(model: LoadedModel, path: str | None = None) -> tuple[tuple[str, str], ...]:
    """The headers that say who answers, and how."""
    return (
        ("x-model-name", model.version.name),
        ("x-model-version", str(model.version.number)),
        ("x-model-path", path or model.path),
    )


def _at_once(model: LoadedModel, content_type: str, body: bytes) -> Answered | None:
    if len(body) > FEW_BYTES:
        return None
    rows = model.plain_rows(content_type, body)
    return model.answer_rows(rows) if rows and len(rows) <= FEW_ROWS else None

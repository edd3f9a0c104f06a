"""What serving answers, without HTTP: a handler takes bytes and decides."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from mlflow.version import VERSION

from terna.contracts.errors import RequestError, UnsupportedMediaType
from terna.contracts.scoring import parse, render, render_error
from terna.contracts.version import Version
from terna.serving.model import LoadedModel
from terna.serving.slot import Slot

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


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
        """One label a row.

        Raises:
            RequestError: each kind of it.
        """
        if content_type.partition(";")[0].strip().lower() != JSON:
            raise UnsupportedMediaType(f"Send the rows as {JSON}.")
        model = self._slot.take()
        loop = asyncio.get_running_loop()
        labels = await loop.run_in_executor(self._threads, _answer, model, body)
        return Answer(labels, headers=_names(model.version))

    async def ping(self) -> Answer:
        """Well when a model answers."""
        return Answer(headers=_names(self._slot.take().version))

    async def version(self) -> Answer:
        """MLflow's version, as its own scoring server says it; the model's is in the headers."""
        version = self._slot.version
        return Answer(
            VERSION.encode(), content_type=TEXT, headers=_names(version) if version else ()
        )

    def refusal(self, error: RequestError) -> Answer:
        return Answer(render_error(error.error_code, str(error)), error.status)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _answer(model: LoadedModel, body: bytes) -> bytes:
    return render(model.predict(parse(body)))


def _names(version: Version) -> tuple[tuple[str, str], ...]:
    return (("x-model-name", version.name), ("x-model-version", str(version.number)))

"""One request to a real model, asked in a process of its own with a limit of memory."""

import resource
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import mlflow.pyfunc

from terna.contracts import open_inference
from terna.contracts.scoring import ScoringRequest
from terna.contracts.version import Version
from terna.errors import RequestError
from terna.predictor.compiled_predictor import Prediction
from terna.predictor.predictor import Predictor
from terna.predictor.pyfunc_model import PyfuncModel

V2 = "v2"
"""In place of a content type: the body goes to `/v2/models/NAME/infer`."""

MAX_MEMORY = 1_500 * 2**20
"""Bytes that a process may take beyond its start: the tests ask for less, and end here."""

PATIENCE = 120
"""Seconds, until a process is ended."""

FORKSERVER = get_context("forkserver")
FORKSERVER.set_forkserver_preload([__name__, "pandas", "pyarrow.parquet", "sklearn.ensemble"])


@dataclass(frozen=True)
class Outcome:
    """What a request cost, and what it was answered with."""

    status: int
    """0 where it ended in no answer."""
    message: str
    causes: tuple[str, ...]
    """The types of the exceptions behind it."""
    memory: int
    """Bytes at the peak, beyond those before the request."""
    seconds: float
    """Of processor time."""


def ask(model: Path, content_type: str, body: bytes) -> Outcome:
    """Ask a model as MLflow saved it."""
    receiving, sending = FORKSERVER.Pipe(duplex=False)
    process = FORKSERVER.Process(target=_answer, args=(sending, model, content_type, body))
    process.start()
    sending.close()
    try:
        answered: Outcome | None = receiving.recv() if receiving.poll(PATIENCE) else None
    except EOFError:
        answered = None
    process.kill()
    process.join()
    return answered or Outcome(0, "the process has died or hangs", (), 0, 0)


def _answer(sending: Connection, folder: Path, content_type: str, body: bytes) -> None:
    model = PyfuncModel(mlflow.pyfunc.load_model(str(folder)))
    predictor = Predictor(Version("model", 1, "", ""), lambda: model)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that of the request alone
    memory, seconds = _status("VmHWM"), _processor_time()
    limit = _status("VmData") + MAX_MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    status, message, causes = 200, "", list[str]()
    try:
        _predict(predictor, content_type, body)
    except RequestError as error:
        status, message, causes = error.status, str(error), [*_causes(error)]
    except BaseException as error:
        status, message, causes = 0, repr(error)[:200], [*_causes(error)]
    seconds = _processor_time() - seconds
    sending.send(Outcome(status, message, tuple(causes), _status("VmHWM") - memory, seconds))


def _predict(predictor: Predictor, content_type: str, body: bytes) -> Prediction:
    if content_type == V2:
        return predictor.infer(open_inference.parse(body))
    return predictor.predict(ScoringRequest(content_type, body))


def _causes(error: BaseException) -> Iterator[str]:
    seen: list[BaseException] = []
    behind: BaseException | None = error
    while behind and behind not in seen:  # an error that is raised from itself ends it
        seen.append(behind)
        yield type(behind).__name__
        behind = behind.__cause__ or behind.__context__


def _status(name: str) -> int:
    """Return a size of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024


def _processor_time() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

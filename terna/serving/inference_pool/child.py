"""The child's end: what runs in a process of the pool, from its start to its end.

It may not outlive its worker, keep it from answering, or write what a model says into the log.
"""

import logging
import os
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from pathlib import Path

from terna.contracts import reference_rows
from terna.contracts.version import Version
from terna.errors import InternalError, PayloadTooLarge, PredictionFailed, RequestError, TernaError
from terna.predictor.predictor import Predictor
from terna.predictor.pyfunc_model import PyfuncModel
from terna.predictor.reference_check import scoring_request
from terna.processes import end_with_parent
from terna.serving import logs
from terna.serving.cache.compiled_cache import CompiledCache
from terna.serving.cache.model_cache import ModelCache
from terna.serving.confinement import go_first_when_memory_ends
from terna.serving.inference_pool import calls
from terna.serving.inference_pool.calls import Done, Failed, Loaded, Reply, TimeLimit
from terna.serving.inference_pool.handler import handle
from terna.settings import Serving

logger = logging.getLogger("terna.serving")

NICENESS = 5
"""The worker's event loop, which answers everybody else, comes first."""

GROWTH_BYTES = 100_000_000
"""Bytes that a child may have grown by before another one takes its place."""


def run(connection: Connection, version: Version, serving: Serving) -> None:
    """Load a version and answer calls until the worker closes its end."""
    confine()
    with ExitStack() as files:
        try:
            predictor = load(version, serving, files)
        except BaseException as error:  # a model's code may also exit
            _send(connection, _load_failure(error))
            return
        limit_memory(serving.pyfunc_memory_bytes)
        _send(connection, Loaded())
        with suppress(EOFError, OSError):
            answer(connection, predictor)
    os._exit(0)  # whatever threads the model has started


def confine() -> None:
    """End with the worker, come after it, be the first to go when memory ends, and be silent."""
    end_with_parent(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the worker drains, and ends it then
    os.nice(NICENESS)
    go_first_when_memory_ends()
    _silence()


def load(version: Version, serving: Serving, files: ExitStack) -> Predictor:
    """Return the predictor of a version of the model cache, warmed up.

    Args:
        files: keeps the version's files for as long as the model may read them.

    Raises:
        SignatureInvalid, LoadFailed: the version may not or cannot be loaded.
    """
    models = ModelCache(serving.cache_dir, serving.verify_key, serving.key, serving.max_model_bytes)
    folder = files.enter_context(models.verified(version))
    pyfunc = PyfuncModel.load(version, folder)
    warm_up(pyfunc, folder)
    compiled = CompiledCache(serving.key).load(version, models.path_for(version))
    return Predictor(version, lambda: pyfunc, compiled)


def warm_up(pyfunc: PyfuncModel, folder: Path) -> None:
    """Predict a reference row: the first request would pay for what is imported at first use."""
    with suppress(Exception):
        request = scoring_request(reference_rows.read(folder).first_row())
        pyfunc.predict(pyfunc.parse(request))


def limit_memory(size: int) -> None:
    """Have this process fail, with a MemoryError, that takes `size` more bytes than it has now."""
    has = int(_status("VmData")) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (has + size, has + size))


def answer(connection: Connection, predictor: Predictor) -> None:
    """Answer call after call.

    Raises:
        EOFError: the worker has closed its end.
    """
    before = _peak_bytes()

    def limit(seconds: float) -> None:
        _send(connection, TimeLimit(seconds))

    while True:
        call = calls.decode_call(connection.recv_bytes())
        try:
            reply: Done | Failed = Done(handle(predictor, call, limit), has_grown=False)
        except RequestError as error:
            reply = calls.failed(_explain(error))
        except BaseException as error:  # SystemExit too: the model's code must not end the child
            _log_failure(error)
            reply = calls.failed(InternalError("The server failed on this request."))
        reply.has_grown = _peak_bytes() - before > GROWTH_BYTES
        del call
        _send(connection, reply)


def _explain(error: RequestError) -> RequestError:
    """Log what the model raised, and return the error for the client."""
    if any(isinstance(cause, MemoryError) for cause in _causes(error)):
        return PayloadTooLarge("This takes more memory than a request may: send fewer rows.")
    if error.__cause__ and isinstance(error, (PredictionFailed, InternalError)):
        _log_failure(error.__cause__)
    return error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error and id(error) not in seen:  # an error may be raised from itself
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _load_failure(error: BaseException) -> Failed:
    """Return one line; of what a model's code raised only the kind: its text may hold data."""
    known = isinstance(error, TernaError)
    return Failed("InternalError", str(error) if known else f"unexpected {type(error).__name__}")


def _log_failure(error: BaseException) -> None:
    """Log an error's kind and place; its text may hold customers' data."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {_place(frames[-1].filename, frames[-1].lineno)}" if frames else ""
    logger.error("the model failed: %s%s", type(error).__name__, place)


def _log_warning(
    _message: object, category: type[Warning], filename: str, lineno: int, *_others: object
) -> None:
    logger.warning("the model warned: %s at %s", category.__name__, _place(filename, lineno))


def _place(filename: str, line: int | None) -> str:
    return f"{'/'.join(Path(filename).parts[-2:])}:{line}"


def _silence() -> None:
    """Have only the log reach standard error: a model's prints may hold customers' data."""
    own = os.fdopen(os.dup(2), "w", buffering=1)
    nothing = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)
    logs.configure(own)
    warnings.showwarning = _log_warning  # type: ignore[assignment]
    sys.excepthook = lambda _kind, error, _where: _log_failure(error)


def _send(connection: Connection, reply: Reply) -> None:
    connection.send_bytes(calls.encode(reply))


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _status(field: str) -> str:
    """Return a number of kilobytes from /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{field}:"))

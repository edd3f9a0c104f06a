"""A child process in which a model's own code runs: it may end, fill or hang that process only.

The child has limits of time and memory, none of this process's passwords, and no output: what a
model prints may hold customers' values. It ends with all that it has started. It answers through a
pipe, with one line of JSON and then bytes; nothing in the answer is executed here.
"""

import gc
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from terna import errors
from terna.errors import DataError, ModelRejected, TernaError, ValidationFailed

MAX_LINE = 100_000
"""Bytes of the answer's first line, at most."""

STOP_SECONDS = 5
"""How long a child has to end by itself, once it has answered or was told to."""

THREADS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
"""One thread for each library: more would take the cores of requests."""

SECRET_PREFIXES = ("TERNA_", "MLFLOW_TRACKING_")
"""How the names of variables begin that a model has no use for, such as passwords."""

UNUSED_PREFIXES = (*SECRET_PREFIXES, "PROMETHEUS_")
"""How the names of variables begin that the child has no use for: it counts nothing."""

Answer = tuple[Any, bytes]
"""What JSON knows, in `MAX_LINE` bytes, and any bytes."""

Ask = Callable[[str, Mapping[str, Any], "Limits"], Answer]
"""What `ask` is, and what tests have in its place."""


@dataclass(frozen=True)
class Limits:
    """What a child process may take."""

    seconds: float
    memory_bytes: int
    settings: str
    """How the names of both settings begin, for messages: `…_SECONDS` and `…_BYTES`."""


def ask(function: str, arguments: Mapping[str, Any], limits: Limits) -> Answer:
    """Call a function in a child process, and return its answer.

    Args:
        function: `module:name`; it returns an `Answer`.
        arguments: by name, of what JSON knows.

    Raises:
        ModelRejected, DataError: any that the function raises.
        ValidationFailed: the child ended without an answer, or took longer than it may.
    """
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        try:
            child = _start(function, arguments, limits.memory_bytes, writing)
        finally:
            os.close(writing)
        answer = None
        try:
            deadline = time.monotonic() + limits.seconds
            answer = _read_answer(pipe.fileno(), deadline, limits.memory_bytes)
        finally:
            _stop(child, at_once=answer is None)
    if answer is None:
        raise ValidationFailed(
            f"The model takes longer than {limits.settings}_SECONDS, which is {limits.seconds:g}."
        )
    return _parse(answer, child.returncode)


def _start(
    function: str, arguments: Mapping[str, Any], memory_bytes: int, writing: int
) -> "subprocess.Popen[bytes]":
    subreaper = [sys.executable, "-IS", str(Path(__file__).with_name("subreaper.py"))]
    command = [sys.executable, "-m", __name__, str(writing), function, str(memory_bytes)]
    return subprocess.Popen(
        [*subreaper, str(os.getpid()), *command, json.dumps(dict(arguments))],
        env={k: v for k, v in os.environ.items() if not k.startswith(UNUSED_PREFIXES)} | THREADS,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[writing],
        start_new_session=True,
    )


def _read_answer(pipe: int, deadline: float, max_bytes: int) -> bytes | None:
    """Return all that the child writes until it ends; None at the deadline."""
    answer = bytearray()
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([pipe], [], [], left)[0]:
            break
        chunk = os.read(pipe, 1 << 20)
        answer += chunk
        if not chunk or len(answer) > max_bytes:
            return bytes(answer)
    return None


def _stop(child: "subprocess.Popen[bytes]", at_once: bool) -> None:
    """Return when the child and all that it has started have ended."""
    with suppress(subprocess.TimeoutExpired):
        child.wait(0 if at_once else STOP_SECONDS)
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(STOP_SECONDS)
    child.kill()
    child.wait()


def _parse(answer: bytes, returncode: int) -> Answer:
    line, _, content = answer.partition(b"\n")
    match _document(line):
        case {"answer": document}:
            return document, content
        case {"error": str(kind), "message": str(message)}:
            raise _error(kind, printable(message))
        case {"raised": str(kind)}:
            raise ValidationFailed(f"The model ends the process that loads it: {printable(kind)}.")
    raise ValidationFailed(f"The model ends the process that loads it: {_ending(returncode)}.")


def _document(line: bytes) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(line) if len(line) <= MAX_LINE else None


def _error(name: str, message: str) -> TernaError:
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, (ModelRejected, DataError)):
        return kind(message)
    return ValidationFailed(message)


def _ending(returncode: int) -> str:
    """Return how a process ended, as far as it did so before it was killed for giving no answer."""
    if returncode < 0:
        return f"by {signal.Signals(-returncode).name}"
    return f"with exit code {returncode}"


def printable(text: str) -> str:
    """Return what a child says, in one line of bounded length."""
    return "".join(c if c.isprintable() else "?" for c in text[:1000])


def main(arguments: Sequence[str]) -> NoReturn:
    """Call what the parent asks for, answer through its pipe, and end.

    Args:
        arguments: the pipe's descriptor, the function, how many bytes of memory it may take, and
            its arguments as JSON.
    """
    pipe, function, memory_bytes, document = arguments
    _limit(int(memory_bytes))
    with os.fdopen(int(pipe), "wb") as answer:
        answer.write(_call(function, json.loads(document)))
    os._exit(0)  # whatever threads the model has started


def _limit(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it would hold customers' values


def _call(function: str, arguments: Mapping[str, Any]) -> bytes:
    """Return one line of JSON, and the bytes of the answer."""
    try:
        document, content = _imported(function)(**arguments)
        return _line({"answer": document}) + content
    except TernaError as error:
        return _line({"error": type(error).__name__, "message": str(error)})
    except BaseException as error:  # a model may raise anything; its text may hold anything
        return _line({"raised": type(error).__name__})


def _imported(function: str) -> Callable[..., Answer]:
    """Import a function; what it needs is here to the end, so no garbage is sought among it."""
    module, _, name = function.partition(":")
    gc.disable()
    found: Callable[..., Answer] = getattr(import_module(module), name)
    gc.freeze()
    gc.enable()
    return found


def _line(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"


if __name__ == "__main__":
    main(sys.argv[1:])

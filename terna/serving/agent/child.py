"""Validation in a child process, which a model may end, fill or hang without harm to the agent.

The child has a session of its own, limits of time and memory, and no output: what a model prints
may hold customers' values. It answers through a pipe, with one line of JSON and then the compiled
model. Nothing in the answer is executed here.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from terna.contracts.version import Version
from terna.errors import ModelRejected, ValidationFailed
from terna.processes import ending_with_this_process
from terna.serving.confinement import SECRET_PREFIXES

MAX_LINE = 100_000
"""Bytes of the answer's first line, at most."""

THREADS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
"""One thread for each library: more would take the cores of requests."""

UNUSED_PREFIXES = (*SECRET_PREFIXES, "PROMETHEUS_")
"""How the names of variables begin that the child has no use for: it counts nothing."""


@dataclass(frozen=True)
class Job:
    """What a child is to validate, as plain values."""

    version: Version
    folder: Path
    """A copy of the version's directory whose signature has been verified."""
    cache_key: str
    """What the compiled model is stored with."""
    compile_models: bool = True


@dataclass(frozen=True)
class Report:
    """What a child found of a version that answers its reference rows."""

    backend: str
    """Which backend answers, and why not the compiled one."""
    seconds: Mapping[str, float]
    """How long each backend takes for one row."""
    summary: str = ""
    """What was compared, for the log."""
    compiled: bytes = field(default=b"", repr=False)
    """The encoded compiled model; empty where there is none."""


def validate_in_child(job: Job, seconds: float, memory_bytes: int) -> Report:
    """Start a child process, and return what it finds.

    Raises:
        ModelRejected: the version does not load, or answers otherwise than in training.
        ValidationFailed: the child ended without an answer, or took longer than `seconds`.
    """
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        try:
            child = _start(job, writing, memory_bytes)
        finally:
            os.close(writing)
        try:
            answer = _read_answer(pipe.fileno(), time.monotonic() + seconds, memory_bytes)
        finally:
            _kill(child)
    if answer is None:
        raise ValidationFailed(
            f"{job.version} was not validated within TERNA_SERVING_VALIDATION_SECONDS,"
            f" which is {seconds:g}."
        )
    return _report(job.version, answer, child.returncode)


def _start(job: Job, writing: int, memory_bytes: int) -> subprocess.Popen[bytes]:
    arguments = asdict(job) | {"folder": str(job.folder), "memory_bytes": memory_bytes}
    command = [sys.executable, "-m", "terna.serving.agent.validation"]
    return subprocess.Popen(
        ending_with_this_process([*command, str(writing), json.dumps(arguments)]),
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


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child and all that it has started in its session."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _report(version: Version, answer: bytes, returncode: int) -> Report:
    line, _, compiled = answer.partition(b"\n")
    document = _document(line)
    match document:
        case {"rejected": str(reason)}:
            raise ModelRejected(_printable(reason))
        case {"backend": str(backend), "seconds": dict(seconds), "summary": str(summary)}:
            times = {str(name): float(value) for name, value in seconds.items()}
            return Report(_printable(backend), times, _printable(summary), compiled)
    raise ValidationFailed(f"{version} ended its own validation: {_ending(returncode)}.")


def _document(line: bytes) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(line) if len(line) <= MAX_LINE else None


def _ending(returncode: int) -> str:
    """Return how a process ended, as far as it did so before it was killed for giving no answer."""
    if returncode < 0:
        return f"by {signal.Signals(-returncode).name}"
    return f"with exit code {returncode}"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:1000])

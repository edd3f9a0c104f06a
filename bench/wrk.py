"""wrk, the load generator: what is asked of a server over and over, and what wrk measured."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext

import httpx

from terna.errors import TernaError

SCRIPT = Path(__file__).with_name("post.lua")
THREADS = 2
PATIENCE = 60
"""Seconds that one answer may take."""


@dataclass(frozen=True)
class Load:
    """The lines of a file, posted in turn over connections that are kept."""

    url: str
    bodies: Path
    connections: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)
    trust: SSLContext | bool = False
    """Whom `settle` verifies the server with; wrk itself verifies nobody."""


@dataclass(frozen=True)
class Sample:
    """What came of some seconds of load; `answers` are those with status 200 to 399."""

    answers: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def throughput(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


def run(load: Load, seconds: int) -> Sample:
    """Post for some seconds, and longer where nothing answers so soon.

    Raises:
        TernaError: wrk failed, or nothing answers.
    """
    sample = read(_output(load, seconds))
    if sample.answers:
        return sample
    if seconds > PATIENCE:
        raise TernaError(f"{load.url} answers nothing, and fails {sample.failed} times.")
    return run(load, 4 * seconds)


def settle(load: Load) -> None:
    """Wait for one more answer: what wrk left in a server's queue must not meet the next one."""
    with load.bodies.open("rb") as bodies, suppress(httpx.HTTPError):
        body, headers = bodies.readline(), dict(load.headers)
        httpx.post(load.url, content=body, headers=headers, verify=load.trust, timeout=PATIENCE)


def read(output: str) -> Sample:
    """Read what post.lua wrote: one line after wrk's own.

    Raises:
        TernaError: there is no such line.
    """
    try:
        return Sample(**json.loads(output.strip().rpartition("\n")[2]))
    except (ValueError, TypeError):
        raise TernaError(f"wrk failed: {output.strip()}") from None


def _output(load: Load, seconds: int) -> str:
    done = subprocess.run(
        _command(load, seconds),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds + 2 * PATIENCE,
    )
    return done.stdout


def _command(load: Load, seconds: int) -> list[str]:
    return [
        shutil.which("wrk") or "wrk",
        f"--threads={min(THREADS, load.connections)}",
        f"--connections={load.connections}",
        f"--duration={seconds}s",
        f"--timeout={PATIENCE}s",
        f"--script={SCRIPT}",
        load.url,
        "--",
        str(load.bodies),
        *(f"{name}: {value}" for name, value in load.headers.items()),
    ]

"""Local processes and ports: start, wait until it answers, stop; nothing is left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from terna.errors import PortTaken, TernaError

STOP_SECONDS = 25
START_SECONDS = 90


def terna_command(*arguments: str) -> list[str]:
    """Return the command line of `terna …` with this process's own Python."""
    return [sys.executable, "-m", "terna", *arguments]


class Process:
    """One server as a process group of its own, its output in a log file."""

    def __init__(
        self, name: str, environment: Mapping[str, str], log: Path, command: Sequence[str]
    ) -> None:
        self.name = name
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def group(self) -> int:
        """The id of the process group, and of the process that leads it."""
        return self._process.pid

    def wait_until(self, answers: Callable[[], bool]) -> None:
        """Return as soon as `answers` is true.

        Raises:
            TernaError: the process ended, or does not answer in time; names its log.
        """
        deadline = time.monotonic() + START_SECONDS
        while not answers():
            if self._process.poll() is not None:
                raise TernaError(f"{self.name} ended while starting: see {self._log}")
            if time.monotonic() > deadline:
                raise TernaError(f"{self.name} does not answer: see {self._log}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End the whole group: asked first, then forced."""
        try:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        finally:  # also after an impatient second Ctrl-C
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def check_free(host: str, port: int) -> None:
    """Raises `PortTaken` when another process listens there."""
    if not _is_free(host, port):
        raise PortTaken(f"Port {port} on {host} is taken: stop what listens there, or set another.")


def free_port(wanted: int, avoid: Sequence[int] = ()) -> int:
    """`wanted` if nobody listens there, else a free one."""
    if wanted not in avoid and _is_free("127.0.0.1", wanted):
        return wanted
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    return port if port not in avoid else free_port(wanted, avoid)


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        # A port whose last connections are still closing can be taken again, as servers do.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True

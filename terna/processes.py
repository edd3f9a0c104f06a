"""Local processes: start one, wait until it answers, stop it and leave nothing behind."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from terna.errors import TernaError
from terna.files import append_private

START_SECONDS = 90
"""How long a server has to answer for the first time."""

STOP_SECONDS = 25
"""How long a server has to end by itself; serving drains for 20."""


def terna_command(*arguments: str) -> list[str]:
    """Return the command line of `terna …` with this process's own Python."""
    return [sys.executable, "-m", "terna", *arguments]


_PR_SET_PDEATHSIG = 1
"""Of prctl(2)."""

_END_WITH_PARENT = (
    f"import ctypes, os, sys; ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, {int(signal.SIGKILL)}); "
    "os.getppid() == int(sys.argv[1]) and os.execv(sys.argv[2], sys.argv[2:])"
)
"""A program that runs a command by which it is replaced: the kernel's promise outlives `execv`."""


def ending_with_this_process(command: Sequence[str]) -> list[str]:
    """Return a command line that runs a command, and has the kernel kill it when its parent dies.

    It holds from the command's first instruction on, however its parent dies. The kernel means the
    thread that starts the command: this one has to live as long as the command is needed.
    """
    return [sys.executable, "-ISc", _END_WITH_PARENT, str(os.getpid()), *command]


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies; kill it now if that has happened.

    Args:
        parent: the parent's process id, as the parent itself has told it.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def stop(process: subprocess.Popen[bytes], seconds: float, group: bool = False) -> None:
    """Ask a process to end (SIGTERM), wait up to `seconds`, then force it (SIGKILL).

    With `group`, signal the whole process group that it leads.
    """
    try:
        _send(process, signal.SIGTERM, group)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    finally:  # also after a second Ctrl-C while it waits
        _send(process, signal.SIGKILL, group)
        process.wait()


def _send(process: subprocess.Popen[bytes], number: signal.Signals, group: bool) -> None:
    with suppress(ProcessLookupError):
        if group:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


class Process:
    """One server as a process group of its own, its output in a log file."""

    def __init__(
        self, name: str, environment: Mapping[str, str], log: Path, command: Sequence[str]
    ) -> None:
        """Start the process.

        Args:
            name: what error messages call it.
            environment: variables on top of this process's own.
            log: the file that its output is appended to; only its owner may read it.
            command: the program and its arguments.
        """
        self.name = name
        self._log = log
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with append_private(log) as output:
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

    def wait(self) -> None:
        """Return when the process has ended well.

        Raises:
            TernaError: it has not; names its log.
        """
        if self._process.wait():
            raise TernaError(f"{self.name} failed: see {self._log}")

    def stop(self) -> None:
        """End the whole group: ask it first, then force it."""
        stop(self._process, STOP_SECONDS, group=True)

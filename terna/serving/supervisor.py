"""A supervisor: starts a command beside the server, again when it ends or hangs, and ends it.

When the server itself is killed, the kernel ends the command.
"""

import logging
import os
import signal
import subprocess
import threading
import time
from types import TracebackType
from typing import Protocol, Self

from terna.processes import ending_with_this_process, stop, terna_command
from terna.serving import metrics
from terna.serving.restarts import CHECK_SECONDS, Backoff, Watchdog

logger = logging.getLogger("terna.serving")

STOP_SECONDS = 5.0
"""How long the command has to end by itself."""

ASKED_TO_END = (-signal.SIGTERM, 130)
"""How a command ends by SIGTERM and by Ctrl-C, which the server may get together with it."""


class Heartbeat(Protocol):
    """By what a supervisor sees that the command works: the agent's `Heartbeat`."""

    max_silent_seconds: float

    def beat(self) -> None:
        """Say that the command works."""

    def last(self) -> float:
        """Return when the command was last seen to work, in Unix time; 0 for never."""


class Supervisor:
    """A process `terna COMMAND` that runs from the start of a `with` block to its end."""

    def __init__(self, command: str, heartbeat: Heartbeat) -> None:
        """Keep what is to be run; start nothing yet."""
        self._command = command
        self._heartbeat = heartbeat
        self._backoff = Backoff()
        self._ending = threading.Event()
        # The kernel ends the command with the thread that started it: one thread does both.
        self._thread = threading.Thread(target=self._run, name=command, daemon=True)

    def __enter__(self) -> Self:
        """Start the command, and from now on again whenever it ends or hangs."""
        self._heartbeat.beat()  # here, where an error ends the server
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        """Stop the command for good."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        self._start()
        watchdog = Watchdog(time.time(), self._heartbeat.max_silent_seconds)
        while not self._ending.wait(CHECK_SECONDS):
            watchdog.begin(time.time())
            if self._is_due(watchdog):
                metrics.RESTARTS.labels(self._command).inc()
                self._start()
        stop(self._process, STOP_SECONDS)

    def _start(self) -> None:
        # One thread in the models' libraries: more would take the cores of requests. One memory
        # arena: each check of a signature has new threads, which would leave theirs half empty.
        limits = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
        command = ending_with_this_process(terna_command(self._command))
        self._heartbeat.beat()  # the silence of its predecessor is none of its own
        self._process = subprocess.Popen(command, env=os.environ | limits)
        self._started = time.monotonic()

    def _is_due(self, watchdog: Watchdog) -> bool:
        """Return whether the command is to be started again; kill it if it hangs."""
        backoff, now = self._backoff, time.monotonic()
        if self._process.poll() is None:
            if watchdog.is_silent(self._heartbeat.last()):
                logger.error("the %s hangs: it is killed", self._command)
                self._process.kill()
        elif backoff.due is None:
            pause = backoff.record_death(now - self._started, now)
            if self._process.returncode not in ASKED_TO_END:
                logger.error("the %s has died: it is restarted in %.1f s", self._command, pause)
        elif now >= backoff.due:
            backoff.due = None
            return True
        return False

"""The pool: it hands each call to an idle child process, and replaces those that end."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from terna.contracts.version import Version
from terna.errors import InternalError, TernaError, TimedOut
from terna.predictor.compiled_predictor import Prediction
from terna.serving.inference_pool.calls import Call
from terna.serving.inference_pool.process import START_SECONDS, InferenceProcess
from terna.settings import Serving

logger = logging.getLogger("terna.serving")


class Process(Protocol):
    """What the pool needs of `InferenceProcess`."""

    is_usable: bool

    def call(self, call: Call, deadline: float) -> Prediction:
        """Return the response to a call; a child that passes the deadline is killed."""

    def close(self) -> None:
        """Have the child, which waits for a call, end by itself."""


def pool_of(version: Version, serving: Serving) -> "InferencePool":
    """Return a pool for a version of the model cache, with one child more for large bodies."""
    return InferencePool(
        lambda: InferenceProcess(version, serving), serving.threads + 1, str(version)
    )


class InferencePool:
    """Child processes of one version: one from the start, more while calls wait, up to a limit."""

    def __init__(self, start: Callable[[], Process], max_processes: int, name: str = "") -> None:
        """Start the first child in the background.

        Args:
            start: returns a child that has loaded the version; raises TernaError.
            name: of the version, for the log.
        """
        self._start_process = start
        self._max_processes = max_processes
        self._name = name
        self._changed = threading.Condition()
        self._idle: list[Process] = []
        self._loaded = 0
        """Children that have loaded the version, idle or not."""
        self._starting = 0
        self._waiting = 0
        """Calls that no child has taken yet."""
        self._failures = 0
        """How often a child could not be started."""
        self._closed = False
        with self._changed:
            self._start_if_needed()

    @property
    def is_ready(self) -> bool:
        """Whether a child has loaded the version."""
        return self._loaded > 0

    def wait_until_loaded(self) -> None:
        """Return when a child has loaded the version, or none can."""
        with self._changed:
            self._changed.wait_for(lambda: self._loaded or self._failures, START_SECONDS)

    def call(self, call: Call, deadline: float) -> Prediction:
        """Return the response to a call; waits for an idle child.

        Args:
            deadline: the time of `time.monotonic` after which it is given up.

        Raises:
            RequestError: any subclass; TimedOut after the deadline.
        """
        process = self._acquire(deadline)
        try:
            return process.call(call, deadline)
        finally:
            self._release(process)

    def close(self) -> None:
        """End all children; those that predict end with their call."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            self._loaded -= len(idle)
        for process in idle:
            process.close()

    def _acquire(self, deadline: float) -> Process:
        with self._changed:
            failures = self._failures
            self._waiting += 1
            try:
                while not self._idle:
                    self._start_if_needed()
                    if not self._changed.wait(max(0, deadline - time.monotonic())):
                        raise TimedOut
                    if self._failures > failures:
                        raise InternalError("The model cannot be loaded: see the server's log.")
                return self._idle.pop()
            finally:
                self._waiting -= 1

    def _release(self, process: Process) -> None:
        with self._changed:
            if process.is_usable and not self._closed:
                self._idle.append(process)
                self._changed.notify()
                return
            self._loaded -= 1
            if not self._closed:  # replaced before anybody waits: loading takes a second or more
                self._start()
        if process.is_usable:  # the pool is closed
            process.close()

    def _start_if_needed(self) -> None:
        """Start a child if there is none, or more calls wait than children start."""
        has_room = self._loaded + self._starting < self._max_processes and not self._closed
        wanted = self._waiting if self._loaded else max(self._waiting, 1)
        if has_room and self._starting < wanted:
            self._start()

    def _start(self) -> None:
        self._starting += 1
        threading.Thread(target=self._load, name="inference-pool", daemon=True).start()

    def _load(self) -> None:
        try:
            process = self._start_process()
        except Exception as error:
            reason = str(error) if isinstance(error, TernaError) else type(error).__name__
            logger.error("a process for %s does not start: %s", self._name, reason)
            with self._changed:
                self._starting -= 1
                self._failures += 1
                self._changed.notify_all()
            return
        with self._changed:
            self._starting -= 1
            self._loaded += 1
            self._release(process)

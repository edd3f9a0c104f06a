"""The server's workers: restarted when they die or hang, ended when the server dies.

granian starts them, stops them and hands signals on. What it does when one dies is replaced here:
it ends the server when a worker dies twice within 5.5 seconds, and never sees one that hangs.
"""

import logging
import multiprocessing
import os
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from granian.server.mp import MPServer

from terna.processes import end_with_parent
from terna.serving import metrics
from terna.serving.restarts import CHECK_SECONDS, Backoff, Watchdog

logger = logging.getLogger("terna.serving")

SILENT_SECONDS = 5.0
"""Seconds without a heartbeat after which a worker is killed."""

Heartbeat = Any
"""A `multiprocessing.RawValue` of a double, shared with one worker: the time of its event loop's
last sign of life on the machine's monotonic clock, or 0 before the first one."""


class Server(MPServer):
    """granian's server, whose workers' deaths never end it.

    Relies on these of granian's, which tests/unit/serving/test_workers.py pins: `_serve_loop` and
    `_spawn_worker`, `wrks`, `main_loop_interrupt`, `interrupt_signal`, `interrupt_children`,
    `reload_signal` and `_reload`; of a worker `is_alive`, `kill`, `start` and `birth`.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._backoffs = [Backoff() for _ in range(self.workers)]
        self._heartbeats: WeakKeyDictionary[Any, Heartbeat] = WeakKeyDictionary()

    def _spawn_worker(  # type: ignore[override]
        self, idx: int, target: Callable[..., None], callback_loader: Callable[[], Any]
    ) -> Any:
        heartbeat = multiprocessing.RawValue("d", 0.0)
        load = partial(load_beating, os.getpid(), heartbeat, callback_loader)
        worker = super()._spawn_worker(idx, target, load)
        self._heartbeats[worker] = heartbeat
        return worker

    def _serve_loop(
        self, spawn_target: Callable[..., None], target_loader: Callable[[], Any]
    ) -> None:
        watchdog = Watchdog(time.monotonic(), SILENT_SECONDS)
        while not self.interrupt_signal:
            if self.reload_signal:
                self._reload(spawn_target, target_loader)  # type: ignore[no-untyped-call]
            watchdog.begin(time.monotonic())
            for idx in range(self.workers):
                if self._is_due(idx, watchdog):
                    metrics.RESTARTS.labels("worker").inc()
                    self.wrks[idx] = worker = self._spawn_worker(idx, spawn_target, target_loader)
                    worker.start()
            self.main_loop_interrupt.wait(CHECK_SECONDS)
            self.main_loop_interrupt.clear()
        self.interrupt_children.clear()  # or granian's exit code would tell of earlier deaths

    def _is_due(self, idx: int, watchdog: Watchdog) -> bool:
        """Return whether the worker of this place is to be started again; kill it if it hangs."""
        worker: Any = self.wrks[idx]
        backoff, now = self._backoffs[idx], time.monotonic()
        if worker.is_alive():
            if watchdog.is_silent(self._heartbeats[worker].value):
                logger.error("worker-%d hangs: it is killed", idx + 1)
                worker.kill()
        elif backoff.due is None:
            pause = backoff.record_death(now - worker.birth, now)
            logger.error("worker-%d has died: it is restarted in %.1f s", idx + 1, pause)
        elif now >= backoff.due:
            backoff.due = None
            return True
        return False


def load_beating(server: int, heartbeat: Heartbeat, load: Callable[[], Any]) -> "BeatingApp":
    """Load a worker's application, in the worker, which from now on ends with the server.

    Args:
        server: the server's process id.
    """
    end_with_parent(server)
    return BeatingApp(load(), heartbeat)


class BeatingApp:
    """A worker's RSGI application, whose event loop gives a heartbeat four times a second."""

    def __init__(self, app: Any, heartbeat: Heartbeat) -> None:
        self.__rsgi__ = app.__rsgi__
        self._app = app
        self._heartbeat = heartbeat

    def __rsgi_init__(self, loop: AbstractEventLoop) -> None:
        self._app.__rsgi_init__(loop)
        self._beat(loop)

    def __rsgi_del__(self, loop: AbstractEventLoop) -> None:
        self._app.__rsgi_del__(loop)

    def _beat(self, loop: AbstractEventLoop) -> None:
        self._heartbeat.value = time.monotonic()
        loop.call_later(CHECK_SECONDS, self._beat, loop)

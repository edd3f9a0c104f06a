"""The server's workers: restarted when they die or hang, ended when the server dies, and replaced
one after the other when the server's certificate is renewed.

granian starts them, stops them and hands signals on. What it does when one dies is replaced here:
it ends the server when a worker dies twice within 5.5 seconds, and never sees one that hangs. So is
what it does at a SIGHUP: it stops a worker whether or not its successor answers.
"""

import logging
import multiprocessing
import os
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from granian.server.mp import MPServer

from terna.processes import end_with_parent
from terna.security.renewal import CertificateFiles, expiry
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
    `_spawn_worker`, `_stop_workers`, `wrks`, `main_loop_interrupt`, `interrupt_signal`,
    `interrupt_children`, `reload_signal` and `workers_kill_timeout`; of a worker `is_alive`,
    `terminate`, `kill`, `start` and `birth`.
    """

    def __init__(self, target: str, *, certificate: CertificateFiles, **options: Any) -> None:
        super().__init__(
            target, ssl_cert=certificate.certificate, ssl_key=certificate.key, **options
        )
        self._certificate = certificate
        self._backoffs = [Backoff() for _ in range(self.workers)]
        self._heartbeats: WeakKeyDictionary[Any, Heartbeat] = WeakKeyDictionary()
        self._replacing: Iterator[None] = iter(())
        self._beside: list[Any] = []
        """The worker that is none of `wrks`, if there is one: it starts, or it drains."""

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
        self._tell_expiry()
        while not self.interrupt_signal:
            self.reload_signal |= self._certificate.were_renewed()
            if self.reload_signal and not self._beside:
                self.reload_signal = False
                self._replacing = self._replace_workers(spawn_target, target_loader)
            next(self._replacing, None)
            watchdog.begin(time.monotonic())
            for idx in range(self.workers):
                if self._is_due(idx, watchdog):
                    metrics.RESTARTS.labels("worker").inc()
                    self.wrks[idx] = worker = self._spawn_worker(idx, spawn_target, target_loader)
                    worker.start()
            self.main_loop_interrupt.wait(CHECK_SECONDS)
            self.main_loop_interrupt.clear()
        self.wrks += self._beside
        self.interrupt_children.clear()  # or granian's exit code would tell of earlier deaths

    def _replace_workers(
        self, spawn_target: Callable[..., None], target_loader: Callable[[], Any]
    ) -> Iterator[None]:
        """Replace each worker by one that reads the certificate anew, a step at a time.

        A worker answers until its successor does, and then what it has begun. Where a successor
        ends instead, all others stay.
        """
        for idx in range(self.workers):
            successor = self._spawn_worker(idx, spawn_target, target_loader)
            self._beside = [successor]
            successor.start()
            while not self._answers(successor):
                if not successor.is_alive():
                    self._beside = []
                    logger.error("the workers stay: a new one has ended while starting")
                    return
                yield
            self._beside = [self.wrks[idx]]
            self.wrks[idx] = successor
            yield from self._drain(self._beside[0])
            self._beside = []
        self._tell_expiry()
        logger.warning("all workers are new ones, with the certificate as it is now")

    def _answers(self, worker: Any) -> bool:
        """Return whether a worker takes connections, as it does once its event loop runs."""
        return bool(self._heartbeats[worker].value)

    def _drain(self, worker: Any) -> Iterator[None]:
        """Have a worker end what it has begun; kill it when that takes too long."""
        worker.terminate()
        end = time.monotonic() + (self.workers_kill_timeout or 0)
        while worker.is_alive():
            if time.monotonic() > end:
                worker.kill()
            yield

    def _tell_expiry(self) -> None:
        expires = expiry(self._certificate.certificate).timestamp()
        metrics.CERTIFICATE_EXPIRY.labels("serving").set(expires)

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
        loop.call_soon(self._beat, loop)  # once it runs, and so takes connections

    def __rsgi_del__(self, loop: AbstractEventLoop) -> None:
        self._app.__rsgi_del__(loop)

    def _beat(self, loop: AbstractEventLoop) -> None:
        self._heartbeat.value = time.monotonic()
        loop.call_later(CHECK_SECONDS, self._beat, loop)

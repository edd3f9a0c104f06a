"""The agent: a process that polls the registry, so that the workers need no MLflow."""

import logging
import os
import resource
import time
from collections.abc import Callable
from typing import Protocol

from terna.errors import TernaError, TrackingRefused, TrackingUnreachable
from terna.registry.client import connect, log_in_again
from terna.registry.registry import MLflowRegistry, Registry
from terna.serving.agent.heartbeat import Heartbeat
from terna.serving.agent.reconciler import Reconciler
from terna.serving.agent.validator import Validator
from terna.serving.cache.compiled_cache import CompiledCache
from terna.serving.cache.model_cache import ModelCache
from terna.settings import Serving, Settings

logger = logging.getLogger("terna.serving")


class Poller(Protocol):
    """What the agent polls: `terna.serving.agent.reconciler.Reconciler`."""

    def poll_once(self) -> None:
        """Ask the registry once, and act on what it says."""


def build(settings: Settings, registry: Registry | None = None) -> Reconciler:
    """Build the reconciler; it connects to nothing before its first poll."""
    serving = settings.serving
    registry = registry or MLflowRegistry(connect(settings.tracking))
    models = ModelCache(serving.cache_dir, serving.verify_key, serving.key, serving.max_model_bytes)
    validator = Validator(models, CompiledCache(serving.key), serving)
    return Reconciler(serving.model, registry, models, validator.validate)


def run(reconciler: Poller, serving: Serving) -> None:
    """Poll every `poll_seconds` until the server that started this process has ended."""
    # What a registry sends in place of a file cannot fill the disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (serving.max_model_bytes, serving.max_model_bytes))
    server, outages, heartbeat = os.getppid(), OutageLog(), Heartbeat(serving)
    while os.getppid() == server:
        heartbeat.beat()
        outages.record(poll(reconciler, _log_in_again))
        time.sleep(serving.poll_seconds)


def poll(reconciler: Poller, log_in_again: Callable[[], bool]) -> Exception | None:
    """Poll once, and return the error if there was one, as the process must go on.

    Args:
        log_in_again: takes the password as it is now, and returns whether it is another one.
    """
    try:
        try:
            reconciler.poll_once()
        except TrackingRefused:
            if not log_in_again():
                raise
            reconciler.poll_once()
    except Exception as error:
        return error
    return None


def _log_in_again() -> bool:
    return log_in_again(Settings.load().tracking)


class OutageLog:
    """A log of outages: one line when one begins and one when it ends, not one a poll."""

    def __init__(self) -> None:
        self._outage = ""
        self._of_tracking = False

    def record(self, error: Exception | None) -> None:
        """Log what one poll ended with, if it differs from what the poll before ended with."""
        outage = _describe(error)
        if outage and outage != self._outage:
            logger.warning("%s", outage)
        if self._outage and not outage:
            logger.info("the tracking server answers again" if self._of_tracking else "works again")
        self._outage = outage
        self._of_tracking = isinstance(error, (TrackingUnreachable, TrackingRefused))


def _describe(error: Exception | None) -> str:
    """Return one line; of an unexpected error only its kind, as its text may hold data."""
    if error is None or isinstance(error, TernaError):
        return str(error or "")
    return f"unexpected {type(error).__name__}"

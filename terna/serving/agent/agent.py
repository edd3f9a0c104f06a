"""The process beside the workers that follows the registry, so that they need not know MLflow."""

import logging
import os
import time
from typing import Protocol

from terna.errors import TernaError, TrackingRefused, TrackingUnreachable
from terna.registry.client import connect
from terna.registry.registry import MLflowRegistry, Registry
from terna.serving.agent.reconciler import Reconciler
from terna.serving.agent.validator import Validator
from terna.serving.cache.compiled_cache import CompiledCache
from terna.serving.cache.model_cache import ModelCache
from terna.settings import Serving, Settings

logger = logging.getLogger("terna.serving")


class Poller(Protocol):
    """What is done every few seconds."""

    def poll_once(self) -> None:
        """Do it once."""


def build(settings: Settings, registry: Registry | None = None) -> Reconciler:
    """Build what follows the registry. It connects to nothing before it polls."""
    serving = settings.serving
    registry = registry or MLflowRegistry(connect(settings.tracking))
    models = ModelCache(serving.cache_dir, serving.verify_key)
    validator = Validator(CompiledCache(serving.key), serving.max_slowdown, serving.compile)
    return Reconciler(serving.model, registry, models, validator.validate)


def run(reconciler: Poller, serving: Serving) -> None:
    """Poll the registry every few seconds, as long as the server that started this lives."""
    server, outages = os.getppid(), OutageLog()
    while os.getppid() == server:
        outages.record(poll(reconciler))
        time.sleep(serving.poll_seconds)


def poll(reconciler: Poller) -> Exception | None:
    """Poll once; return the error, if there was one, as the process must go on."""
    try:
        reconciler.poll_once()
    except Exception as error:
        return error
    return None


class OutageLog:
    """Logs an outage once when it begins and once when it ends, not at every poll."""

    def __init__(self) -> None:
        self._outage = ""
        self._of_tracking = False

    def record(self, error: Exception | None) -> None:
        """Log what one poll ended with, where that is news."""
        outage = _describe(error)
        if outage and outage != self._outage:
            logger.warning("%s", outage)
        if self._outage and not outage:
            logger.info("the tracking server answers again" if self._of_tracking else "works again")
        self._outage = outage
        self._of_tracking = isinstance(error, (TrackingUnreachable, TrackingRefused))


def _describe(error: Exception | None) -> str:
    """Say it in one line; of an unexpected error only its kind, as its text may hold data."""
    if error is None or isinstance(error, TernaError):
        return str(error or "")
    return f"unexpected {type(error).__name__}"

"""The process beside the workers that follows the registry, so that they need not know MLflow."""

import logging
import os
import time
from typing import Protocol

from terna.errors import TernaError
from terna.registry.client import connect
from terna.registry.registry import MLflowRegistry, Registry
from terna.serving.agent.reconciler import Reconciler
from terna.serving.agent.validator import Validator
from terna.serving.cache.compiled_cache import CompiledCache
from terna.serving.cache.model_cache import ModelCache
from terna.settings import Serving, Settings

logger = logging.getLogger("terna.serving")


class Looks(Protocol):
    """What is done every few seconds."""

    def look(self) -> None: ...


def build(settings: Settings, registry: Registry | None = None) -> Reconciler:
    """What follows the registry. It connects to nothing before it looks."""
    serving = settings.serving
    registry = registry or MLflowRegistry(connect(settings.tracking))
    copies = ModelCache(serving.cache_dir, serving.verify_key)
    judge = Validator(CompiledCache(serving.key), serving.max_slowdown, serving.compile)
    return Reconciler(serving.model, registry, copies, judge.judge)


def follow(watcher: Looks, serving: Serving) -> None:
    """Look at the registry every few seconds, as long as the server that started this lives."""
    server, trouble = os.getppid(), Trouble()
    while os.getppid() == server:
        trouble.tell(trouble_of(watcher))
        time.sleep(serving.poll_seconds)


def trouble_of(watcher: "Looks") -> str:
    """Look once; what went wrong, in one line, or nothing."""
    try:
        watcher.look()
    except TernaError as error:
        return str(error)
    except Exception as error:  # the process would end, and look no more
        return f"unexpected {type(error).__name__}"
    return ""


class Trouble:
    """Told once when it begins and once when it ends, not at every look."""

    def __init__(self) -> None:
        self._now = ""

    def tell(self, trouble: str) -> None:
        if trouble and trouble != self._now:
            logger.warning("%s", trouble)
        if self._now and not trouble:
            logger.info("the tracking server answers again")
        self._now = trouble

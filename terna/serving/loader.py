"""A worker's loader: it loads the model cache's current version, and each later one."""

import logging
import threading
from collections.abc import Callable

from terna.contracts.version import Version
from terna.errors import TernaError
from terna.predictor.compiled_predictor import COMPILED, PYFUNC, CompiledModel, CompiledPredictor
from terna.predictor.reference_check import check_reference_rows
from terna.serving import metrics
from terna.serving.cache.compiled_cache import CompiledCache
from terna.serving.cache.model_cache import ModelCache
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.endpoints.deployment import Deployment, Pool

logger = logging.getLogger("terna.serving")

POLL_SECONDS = 0.1
"""Seconds between two looks at the model cache: one small file's time is read."""


class Loader:
    """A loader of the current version: it loads it beside the active one, then swaps them.

    A version that cannot be loaded is not tried again before `set_current` is called again; the
    active one goes on.
    """

    def __init__(
        self,
        name: str,
        models: ModelCache,
        compiled: CompiledCache,
        active: ActiveModel,
        new_pool: Callable[[Version], Pool],
    ) -> None:
        """
        Args:
            name: of the registered model.
            new_pool: returns the inference pool of a version.
        """
        self._name = name
        self._models = models
        self._compiled = compiled
        self._active = active
        self._new_pool = new_pool
        self._revision = 0
        self._info = metrics.Info(metrics.MODEL)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="loader", daemon=True)

    def start(self) -> None:
        """Load the current version now, and in a thread each that becomes current."""
        self.poll_once()
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread: load nothing more."""
        self._stop.set()

    def poll_once(self) -> None:
        """Load the current version, if the cache's revision has changed since the last look."""
        revision = self._models.revision(self._name)
        if revision == self._revision:
            return
        self._revision = revision
        try:
            self._load()
        except TernaError as error:
            self._report_failure(str(error))
        except Exception as error:  # a thread that dies would load nothing any more
            self._report_failure(f"unexpected {type(error).__name__}")

    def _load(self) -> None:
        version = self._models.current(self._name)
        if version is None:
            return
        folder = self._models.path_for(version)
        compiled = self._compiled.load(version, folder)
        if self._active.serves(version, COMPILED if compiled else PYFUNC):
            return
        deployment = Deployment(version, self._new_pool(version), _predictor_of(compiled))
        check_reference_rows(deployment, folder)
        if self._active.deployment:  # at the start nothing answers: compiled rows need not wait
            deployment.wait_until_loaded()
        self._active.swap(deployment)
        metrics.SWAPS.labels("done").inc()
        self._info.set(version.name, str(version.number), deployment.backend)
        logger.info("serving %s, %s", version, deployment.backend)

    def _report_failure(self, reason: str) -> None:
        metrics.SWAPS.labels("failed").inc()
        logger.error("the current version is not served: %s", reason)

    def _poll(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self.poll_once()


def _predictor_of(compiled: CompiledModel | None) -> CompiledPredictor | None:
    return CompiledPredictor(compiled, metrics.FAILURES.inc) if compiled else None

"""Brings one worker's slot to the version that is kept, and holds it there."""

import logging
import threading
from typing import TYPE_CHECKING

from terna.contracts.version import Version
from terna.errors import TernaError
from terna.predictor.predictor import Predictor
from terna.serving import metrics
from terna.serving.cache.compiled_cache import CompiledCache
from terna.serving.cache.model_cache import ModelCache
from terna.serving.endpoints.active_model import ActiveModel

if TYPE_CHECKING:
    from terna.predictor.pyfunc_model import PyfuncModel

logger = logging.getLogger("terna.serving")

LOOK = 0.1
"""Seconds between two looks at the local copies: one small file is read."""


class Loader:
    """Loads the version that is kept beside the one that answers, then swaps them.

    A version that cannot be loaded here is not tried again before another one is kept; what
    answered goes on.
    """

    def __init__(
        self, name: str, copies: ModelCache, programs: CompiledCache, slot: ActiveModel
    ) -> None:
        self._name = name
        self._copies = copies
        self._programs = programs
        self._slot = slot
        self._seen = 0
        self._info = metrics.Info(metrics.MODEL)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="loader", daemon=True)

    def start(self) -> None:
        """Serve what is kept here, without asking the registry, and then what will be."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def look(self) -> None:
        """Load the version that is kept, if it was not looked at yet."""
        stamp = self._copies.stamp(self._name)
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._load()
        except TernaError as error:
            self._failed(str(error))
        except Exception as error:  # a thread that dies would follow nothing any more
            self._failed(f"unexpected {type(error).__name__}")

    def _failed(self, why: str) -> None:
        metrics.SWAPS.labels("failed").inc()
        logger.error("the local copy is not served: %s", why)

    def _load(self) -> None:
        version = self._copies.current(self._name)
        if version is None:
            return
        folder = self._copies.place(version)
        program = self._programs.of(folder)
        if self._slot.holds(version, compiled=program is not None):
            return
        model = Predictor(version, lambda: self._original(version), program, metrics.FAILURES.inc)
        model.check_reference(folder)
        self._slot.swap(model)
        metrics.SWAPS.labels("done").inc()
        self._info.tell(version.name, str(version.number), model.path)
        logger.info("serving %s, %s", version, model.path)

    def _original(self, version: Version) -> "PyfuncModel":
        from terna.predictor.pyfunc_model import PyfuncModel

        return PyfuncModel.load(version, self._copies.verified(version))

    def _follow(self) -> None:
        while not self._stop.wait(LOOK):
            self.look()

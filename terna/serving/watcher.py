"""Follows the registry: what is in production there is, seconds later, what answers here."""

import logging
import threading
from pathlib import Path

from terna.contracts.errors import ModelRefused, TernaError
from terna.registry import Registry, Version
from terna.serving.copies import LocalCopies
from terna.serving.model import LoadedModel
from terna.serving.slot import Slot

logger = logging.getLogger("terna.serving")

TAG = "terna.serving"
"""The version's tag that says what became of it here."""


class Watcher:
    """Brings a slot to the version in production, and keeps it there.

    A version is verified, loaded and checked beside the one that answers; one that fails is
    refused, with the reason in its tag, and the old one goes on.
    """

    def __init__(
        self, name: str, registry: Registry, copies: LocalCopies, slot: Slot, poll: float
    ) -> None:
        self._name = name
        self._registry = registry
        self._copies = copies
        self._slot = slot
        self._poll = poll
        self._refused: Version | None = None
        self._trouble = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="watcher", daemon=True)

    def start(self) -> None:
        """Serve the verified local copy if there is one, then follow the registry."""
        self.restore()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def restore(self) -> None:
        """Load the version that was served last, without asking the registry."""
        version = self._copies.current(self._name)
        if version is None:
            return
        try:
            folder = self._copies.verified(version)
            self._slot.swap(_checked(version, folder))
            logger.info("serving %s from the local copy", version)
        except TernaError as error:
            logger.error("the local copy is not served: %s", error)

    def look(self) -> None:
        """Ask the registry once, and serve what is in production there.

        Raises:
            TrackingUnreachable, TrackingRefused: nothing changes here.
        """
        wanted = self._registry.production(self._name)
        if wanted is None or wanted in (self._slot.version, self._refused):
            return
        try:
            folder = self._copies.fetch(wanted, self._registry)
            model = _checked(wanted, folder)
        except ModelRefused as error:
            self._refuse(wanted, error)
            return
        self._slot.swap(model)
        self._refused = None
        self._copies.keep(wanted)
        logger.info("serving %s", wanted)
        self._registry.reconcile(wanted)
        self._registry.tag(wanted, TAG, "serving")

    def _refuse(self, version: Version, error: ModelRefused) -> None:
        self._refused = version
        logger.error("refused: %s", error)
        self._registry.tag(version, TAG, f"refused: {error}"[:500])

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
                self._tell("")
            except TernaError as error:
                self._tell(str(error))
            except Exception as error:  # a thread that dies would follow nothing any more
                self._tell(f"unexpected {type(error).__name__}")
            self._stop.wait(self._poll)

    def _tell(self, trouble: str) -> None:
        """Once when trouble begins and once when it ends, not at every look."""
        if trouble and trouble != self._trouble:
            logger.warning("%s", trouble)
        if self._trouble and not trouble:
            logger.info("the tracking server answers again")
        self._trouble = trouble


def _checked(version: Version, folder: Path) -> LoadedModel:
    model = LoadedModel.load(version, folder)
    model.check_reference(folder)
    return model

"""Follows the registry: what is in production there is, seconds later, what answers here."""

import logging
import threading
from pathlib import Path

from terna.contracts.errors import ModelRefused, TernaError
from terna.contracts.version import Version
from terna.registry import Registry
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
        self._reason = ""
        self._reported: tuple[Version, str] | None = None
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
        except Exception as error:  # the server would not start any more
            logger.error("the local copy is not served: unexpected %s", type(error).__name__)

    def look(self) -> None:
        """Ask the registry once, and serve what is in production there.

        Raises:
            TrackingUnreachable, TrackingRefused: nothing changes here.
        """
        wanted = self._registry.production(self._name)
        if wanted is None:
            return
        if wanted != self._refused:
            self._refused = None  # who promotes it once more wants it tried once more
        if wanted not in (self._slot.version, self._refused):
            self._bring(wanted)
        self._report(wanted)

    def _bring(self, version: Version) -> None:
        try:
            folder = self._copies.fetch(version, self._registry)
            model = _checked(version, folder)
        except ModelRefused as error:
            self._refused, self._reason = version, str(error)
            logger.error("refused: %s", error)
            return
        self._slot.swap(model)
        logger.info("serving %s", version)
        self._copies.keep(version)

    def _report(self, version: Version) -> None:
        """Tell the registry what became of a version: once, or until it has heard."""
        refused = version == self._refused
        state = f"refused: {self._reason}"[:500] if refused else "serving"
        if self._reported == (version, state):
            return
        if not refused:
            self._registry.reconcile(version)
        self._registry.tag(version, TAG, state)
        self._reported = (version, state)

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

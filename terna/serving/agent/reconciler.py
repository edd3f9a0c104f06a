"""Follows the registry: what is in production there becomes, seconds later, what serving keeps."""

import logging
from collections.abc import Callable
from pathlib import Path

from terna.contracts.version import Version
from terna.errors import ModelRejected
from terna.registry.registry import Registry
from terna.serving import metrics
from terna.serving.cache.model_cache import ModelCache

logger = logging.getLogger("terna.serving")

TAG = "terna.serving"
"""The version's tag that says what became of it here."""

PATH_TAG = "terna.backend"
"""The version's tag that says by which path it answers, and why not by the fast one."""

Validator = Callable[[Version, Path], str]
"""Says by which path a verified directory answers; raises `ModelRejected` when it may not serve."""


class Reconciler:
    """Brings the version in production to this machine, and has it kept.

    A version is verified and judged beside the one that answers; one that fails is refused, with
    the reason in its tag, and the old one goes on.
    """

    def __init__(self, name: str, registry: Registry, copies: ModelCache, judge: Validator) -> None:
        self._name = name
        self._registry = registry
        self._copies = copies
        self._judge = judge
        self._accepted: Version | None = None
        self._refused: Version | None = None
        self._reason = ""
        self._path = ""
        self._reported: tuple[Version, str] | None = None
        self._info = metrics.Info(metrics.BACKEND)

    def look(self) -> None:
        """Ask the registry once, and have what is in production there kept.

        Raises:
            TrackingUnreachable, TrackingRefused: nothing changes here.
        """
        wanted = self._registry.production(self._name)
        metrics.CONTACT.set_to_current_time()
        if wanted is None:
            return
        if wanted != self._refused:
            self._refused = None  # who promotes it once more wants it tried once more
        if wanted != self._refused and not self._is_kept(wanted):
            self._bring(wanted)
        self._report(wanted)

    def _is_kept(self, version: Version) -> bool:
        """Judged in this process's life, and its copy not thrown away since by a worker."""
        return version == self._accepted and self._copies.holds(version)

    def _bring(self, version: Version) -> None:
        try:
            folder = self._copies.fetch(version, self._registry)
            self._path = self._judge(version, folder)
        except ModelRejected as error:
            self._refused, self._reason = version, str(error)
            metrics.VERSIONS.labels("rejected").inc()
            logger.error("rejected: %s", error)
            return
        self._copies.keep(version)
        self._accepted = version
        metrics.VERSIONS.labels("validated").inc()
        self._info.tell(version.name, str(version.number), self._path)
        logger.info("validated %s", version)

    def _report(self, version: Version) -> None:
        """Tell the registry what became of a version: once, or until it has heard."""
        refused = version == self._refused
        state = f"rejected: {self._reason}"[:500] if refused else "serving"
        if self._reported == (version, state):
            return
        if not refused:
            self._registry.complete_promotion(version)
            self._registry.tag(version, PATH_TAG, self._path[:500])
        self._registry.tag(version, TAG, state)
        self._reported = (version, state)

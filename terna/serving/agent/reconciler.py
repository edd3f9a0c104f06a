"""The reconciler: the version in production in the registry becomes current on this machine."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from terna.contracts.version import Version
from terna.errors import ModelRejected
from terna.registry.registry import STATUS_TAG, Registry
from terna.serving import metrics
from terna.serving.cache.model_cache import ModelCache
from terna.serving.cache.verdict import Verdict

logger = logging.getLogger("terna.serving")

BACKEND_TAG = "terna.backend"
"""The version's tag that says which backend answers, and why not the compiled one."""

MAX_TAG = 500
"""Characters of a tag's value, at most."""

Validate = Callable[[Version], Verdict]
"""Returns the verdict on a fetched version that may serve; raises `ModelRejected` if it may not."""


@dataclass(frozen=True)
class State:
    """What is known of the versions that were in production since this process started."""

    validated: Version | None = None
    """The version that was validated last, and is current here."""
    backend: str = ""
    """Which backend answers for it, and why."""
    rejected: Version | None = None
    """The version in production, if it was rejected."""
    reason: str = ""
    """Why it was rejected."""
    reported: tuple[Version, str] | None = None
    """The version and the status that were written to the registry last."""


class Reconciler:
    """A reconciler: it brings the version in production to this machine and makes it current.

    A version is verified and validated beside the one that answers; one that fails is rejected,
    with the reason in its tag, and the old one goes on.
    """

    def __init__(
        self, name: str, registry: Registry, models: ModelCache, validate: Validate
    ) -> None:
        """
        Args:
            name: of the registered model.
        """
        self._name = name
        self._registry = registry
        self._models = models
        self._validate = validate
        self._state = State()
        self._info = metrics.Info(metrics.BACKEND)

    def poll_once(self) -> None:
        """Ask the registry once, and make current here what is in production there.

        Raises:
            TrackingUnreachable, TrackingRefused: nothing changes here.
        """
        production = self._registry.production(self._name)
        metrics.CONTACT.set_to_current_time()
        if production is None:
            return
        if production != self._state.rejected:
            if self._state.rejected:
                # It is tried again once another one was in production in between.
                self._models.forget_rejected(self._name)
                self._state = replace(self._state, rejected=None, reason="")
            if not self._is_current(production):
                self._state = self._update(production)
        self._report(production)

    def _is_current(self, version: Version) -> bool:
        """Return whether it was validated, and nobody has changed the model cache since."""
        return (
            version == self._state.validated
            and self._models.contains(version)
            and version == self._models.current(self._name)
        )

    def _update(self, version: Version) -> State:
        """Fetch a version, validate it and make it current; return the state after that."""
        try:
            self._models.fetch(version, self._registry)
            verdict = self._validate(version)
        except ModelRejected as error:
            metrics.VERSIONS.labels("rejected").inc()
            logger.error("rejected: %s", error)
            return replace(self._state, rejected=version, reason=str(error))
        self._models.set_current(version, verdict)
        self._models.forget_rejected(version.name)
        metrics.VERSIONS.labels("validated").inc()
        self._info.set(version.name, str(version.number), verdict.backend)
        logger.info("validated %s", version)
        return replace(self._state, validated=version, backend=verdict.backend)

    def _report(self, version: Version) -> None:
        """Write the version's status to the registry; at every poll until that has succeeded."""
        rejected = version == self._state.rejected
        status = f"rejected: {self._state.reason}"[:MAX_TAG] if rejected else "serving"
        if self._state.reported == (version, status):
            return
        if not rejected:
            self._registry.tag(version, BACKEND_TAG, self._state.backend[:MAX_TAG])
        self._registry.tag(version, STATUS_TAG, status)
        self._state = replace(self._state, reported=(version, status))

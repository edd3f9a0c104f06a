"""The validator: whether a fetched version may serve, and by which backend it answers."""

import logging
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path

from terna.contracts.version import RELEASE_FILE, Version
from terna.errors import ModelRejected, TooSlow
from terna.security.model_formats import check_formats
from terna.security.signing import is_release_signed
from terna.serving.agent.child import Job, Report, validate_in_child
from terna.serving.cache.compiled_cache import CompiledCache, cache_key
from terna.serving.cache.model_cache import ModelCache
from terna.serving.cache.verdict import Verdict
from terna.settings import Serving

logger = logging.getLogger("terna.serving")

BACKENDS = ("compiled", "pyfunc")

Validate = Callable[[Job, float, int], Report]
"""Validates within a number of seconds and of bytes; raises `ModelRejected`."""


class Validator:
    """A validator of one version after another.

    A verdict is kept in the model cache, and given again as long as all that it depends on is as
    it was: the signed files, this code, the installed libraries and the settings.
    """

    def __init__(
        self,
        models: ModelCache,
        compiled_cache: CompiledCache,
        serving: Serving,
        validate: Validate = validate_in_child,
    ) -> None:
        """Keep the caches and settings; start nothing yet."""
        self._models = models
        self._compiled_cache = compiled_cache
        self._serving = serving
        self._validate = validate

    def validate(self, version: Version) -> Verdict:
        """Return the verdict on a version whose directory is in the model cache.

        Raises:
            ModelRejected: any subclass; a compiled model that was made stays unused.
        """
        with self._models.verified(version) as folder:
            known = self._models.verdict(version)
            verdict = Verdict(self._key(folder))
            if known and known.key == verdict.key and self._is_usable(known, version):
                return _accepted(known)
            try:
                return self._ask(version, folder, verdict)
            except ModelRejected as error:
                self._models.set_rejected(version, replace(verdict, reason=str(error)))
                raise

    def _ask(self, version: Version, folder: Path, verdict: Verdict) -> Verdict:
        serving = self._serving
        self._check_formats(folder)
        job = Job(version, folder, cache_key(folder), serving.compile)
        report = self._validate(job, serving.validation_seconds, serving.validation_bytes)
        self._check_speed(version, report)
        self._store(version, report)
        return replace(verdict, backend=report.backend, seconds=report.seconds)

    def _check_formats(self, folder: Path) -> None:
        """Check before anything is loaded that the files hold no code, or were released.

        Raises:
            FormatRefused: they hold code, and the release key has not signed them.
        """
        serving = self._serving
        released = is_release_signed(folder, serving.release_verify_key)
        check_formats(folder, released or not serving.require_release)

    def _store(self, version: Version, report: Report) -> None:
        directory = self._models.path_for(version)
        if report.compiled:
            self._compiled_cache.store(version, directory, report.compiled)
            logger.info("%s", report.summary)
        else:
            self._compiled_cache.remove(directory)
            logger.warning("answers by %s", report.backend)

    def _check_speed(self, version: Version, report: Report) -> None:
        """Compare with the predecessor, by the same backend: a change of backend is none of speed.

        Raises:
            TooSlow: the version takes many times longer.
        """
        backend = next(name for name in BACKENDS if name in report.seconds)
        seconds, before = report.seconds[backend], self._seconds_before(version).get(backend, 0)
        limit = self._serving.max_slowdown
        if limit and before and seconds > limit * before:
            raise TooSlow(
                f"{version} takes {seconds * 1000:.2g} ms for a row by the {backend} model, its"
                f" predecessor {before * 1000:.2g} ms, and TERNA_SERVING_MAX_SLOWDOWN is {limit:g}."
            )

    def _seconds_before(self, version: Version) -> dict[str, float]:
        current = self._models.current(version.name)
        verdict = self._models.verdict(current) if current and current != version else None
        return dict(verdict.seconds) if verdict else {}

    def _is_usable(self, known: Verdict, version: Version) -> bool:
        """Return whether a compiled model that a verdict speaks of is still here."""
        if known.reason or known.backend.startswith("pyfunc"):
            return True
        directory = self._models.path_for(version)
        return self._compiled_cache.load(version, directory) is not None

    def _key(self, folder: Path) -> str:
        """Return a digest of all that a verdict depends on."""
        libraries = sorted(f"{each.name}=={each.version}" for each in distributions())
        serving = self._serving
        settings = (
            serving.compile,
            serving.require_release,
            (folder / RELEASE_FILE).exists(),
            serving.max_slowdown,
            serving.validation_seconds,
            serving.validation_bytes,
        )
        return sha256(repr((cache_key(folder), libraries, settings)).encode()).hexdigest()


def _accepted(verdict: Verdict) -> Verdict:
    if verdict.reason:
        raise ModelRejected(verdict.reason)
    return verdict

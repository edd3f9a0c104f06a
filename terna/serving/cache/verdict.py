"""What validation has found of a version, as it is kept in the model cache."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from terna.contracts.version import Version
from terna.serving.cache.seal import Seal


@dataclass(frozen=True)
class Verdict:
    """Whether a version may serve, by which backend, and what that depends on."""

    key: str = ""
    """A digest of all that it depends on: the signed files, code, libraries, settings."""
    backend: str = ""
    """Which backend answers, and why not the compiled one."""
    reason: str = ""
    """Why the version was rejected; empty where it may serve."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each backend takes for one row."""


UNKNOWN = Verdict()
"""The verdict on a version that is served without one."""


class Note:
    """A sealed file that names one version, with its verdict."""

    def __init__(self, path: Path, seal: Seal) -> None:
        self._path = path
        self._seal = seal

    def write(self, version: Version, verdict: Verdict) -> None:
        """Replace what is noted."""
        document = {"version": asdict(version), "verdict": asdict(verdict)}
        self._seal.write(self._path, json.dumps(document).encode(), self._subject)

    def read(self) -> tuple[Version, Verdict] | None:
        """Return what is noted; None where nothing is, or not by this server."""
        content = self._seal.read(self._path, self._subject)
        if content is None:
            return None
        document = json.loads(content)
        return Version(**document["version"]), Verdict(**document["verdict"])

    def remove(self) -> None:
        """Forget what is noted."""
        self._path.unlink(missing_ok=True)

    @property
    def _subject(self) -> str:
        return f"{self._path.stem} version of {self._path.parent.name}"

"""The verified local copies of model versions: what serving starts from while tracking is away."""

import json
import os
import shutil
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from terna.contracts.version import Version
from terna.errors import SignatureInvalid
from terna.files import locked
from terna.serving.cache import compiled_cache

if TYPE_CHECKING:
    # Only the follower has one: a worker does without MLflow.
    from terna.registry.registry import Registry

CURRENT = "current.json"
PART = ".part-"
KEPT = 2
"""The version in production and the one before it."""


class ModelCache:
    """A folder of model directories, each put there whole.

    Every worker of a machine shares it, so what moves or removes a copy holds the folder's lock.
    """

    def __init__(self, folder: Path, public_key: Path) -> None:
        self._folder = folder
        self._public_key = public_key

    def fetch(self, version: Version, registry: "Registry") -> Path:
        """The version's verified directory, downloaded if there is no good one here.

        Raises:
            SignatureInvalid: and nothing of the version stays here.
            TrackingUnreachable, TrackingRefused: it cannot be downloaded.
        """
        with suppress(SignatureInvalid):
            return self.verified(version)
        return self._download(version, registry)

    def verified(self, version: Version) -> Path:
        """The directory of a version that is here; a copy that does not verify is thrown away.

        Raises:
            SignatureInvalid: its files are not what training signed.
        """
        with self._alone(version.name):
            return self._verified(self.place(version))

    def current(self, name: str) -> Version | None:
        """The version that was served last; None on a new machine."""
        with suppress(OSError, ValueError, TypeError):
            version = Version(**json.loads((self._folder / name / CURRENT).read_bytes()))
            return version if version.name == name else None
        return None

    def holds(self, version: Version) -> bool:
        """Whether there is a copy of the version here, good or not."""
        return self.place(version).is_dir()

    def stamp(self, name: str) -> int:
        """Another number after each `keep`; 0 on a new machine."""
        with suppress(OSError):
            return (self._folder / name / CURRENT).stat().st_mtime_ns
        return 0

    def keep(self, version: Version) -> None:
        """Start from this version next time."""
        place = self.place(version)
        note = place.with_name(CURRENT)
        with self._alone(version.name):
            if not place.exists():  # another worker is versions ahead
                return
            part = note.with_suffix(".part")
            part.write_text(json.dumps(asdict(version)))
            part.replace(note)

    def forget_unfinished(self) -> None:
        """Remove what killed downloads left. Only before any worker starts."""
        for part in self._folder.glob(f"*/{PART}*"):
            shutil.rmtree(part, ignore_errors=True)

    def _download(self, version: Version, registry: "Registry") -> Path:
        place = self.place(version)
        part = Path(mkdtemp(prefix=PART, dir=place.parent))
        try:
            registry.download(version, part)
            with self._alone(version.name):
                if not place.exists():  # else another worker was faster
                    part.rename(place)
                self._verified(place)
                self._make_room(place)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return place

    def _verified(self, place: Path) -> Path:
        from terna.security import signing  # brings cryptography, 20 MB that a worker can save

        try:
            signing.verify(place, self._public_key)
        except SignatureInvalid:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return place

    def _make_room(self, newest: Path) -> None:
        """Keep the copy that is served, and of the others the newest."""
        os.utime(newest)
        served = self.current(newest.parent.name)
        kept = self.place(served) if served else newest
        folders = [f for f in newest.parent.iterdir() if f.is_dir() and f.name[0] != "."]
        for old in sorted(folders, key=lambda f: (f == kept, f.stat().st_mtime))[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
            compiled_cache.place(old).unlink(missing_ok=True)

    def _alone(self, name: str) -> AbstractContextManager[None]:
        return locked(self._folder / name)

    def place(self, version: Version) -> Path:
        """Where a version's copy is, or would be.

        A registry that was made anew counts from 1 again: the number alone is not enough.
        """
        digest = sha256(f"{version.source} {version.run_id}".encode()).hexdigest()[:12]
        return self._folder / version.name / f"{version.number}-{digest}"

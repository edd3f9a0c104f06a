"""The verified local copies of model versions: what serving starts from while tracking is away."""

import json
import os
import shutil
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from terna import signing
from terna.registry import Registry, Version

CURRENT = "current.json"
KEPT = 2
"""The version in production and the one before it."""


class LocalCopies:
    """A folder of model directories, each put there whole."""

    def __init__(self, folder: Path, public_key: Path) -> None:
        self._folder = folder
        self._public_key = public_key

    def fetch(self, version: Version, registry: Registry) -> Path:
        """The version's verified directory, downloaded if it is not here.

        Raises:
            SignatureInvalid: and nothing of the version stays here.
            TrackingUnreachable, TrackingRefused: it cannot be downloaded.
        """
        place = self._place(version)
        if not place.exists():
            self._download(version, registry, place)
        return self.verified(version)

    def verified(self, version: Version) -> Path:
        """The directory of a version that is here; a copy that does not verify is thrown away.

        Raises:
            SignatureInvalid: its files are not what training signed.
        """
        place = self._place(version)
        try:
            signing.verify(place, self._public_key)
        except Exception:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return place

    def current(self, name: str) -> Version | None:
        """The version that was served last; None on a new machine."""
        with suppress(OSError, ValueError, TypeError):
            return Version(**json.loads((self._folder / name / CURRENT).read_bytes()))
        return None

    def keep(self, version: Version) -> None:
        """Start from this version next time, and make room."""
        note = self._folder / version.name / CURRENT
        part = note.with_suffix(".part")
        part.write_text(json.dumps(asdict(version)))
        part.replace(note)
        os.utime(self._place(version))
        self._forget_old(version.name)

    def _download(self, version: Version, registry: Registry, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        part = Path(mkdtemp(prefix=".part-", dir=place.parent))
        try:
            registry.download(version, part)
            with suppress(FileExistsError, OSError):  # another worker was faster
                part.rename(place)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _forget_old(self, name: str) -> None:
        folders = [f for f in (self._folder / name).iterdir() if f.is_dir() and f.name[0] != "."]
        for old in sorted(folders, key=lambda f: f.stat().st_mtime)[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)

    def _place(self, version: Version) -> Path:
        """A registry that was made anew counts from 1 again: the number alone is not enough."""
        digest = sha256(f"{version.source} {version.run_id}".encode()).hexdigest()[:12]
        return self._folder / version.name / f"{version.number}-{digest}"

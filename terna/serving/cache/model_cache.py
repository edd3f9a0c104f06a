"""The verified model directories on this machine: what serving starts from without the registry."""

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
from terna.files import locked, write_private
from terna.serving.cache import compiled_cache

if TYPE_CHECKING:
    # Only the agent has a registry: workers do not import MLflow.
    from terna.registry.registry import Registry

CURRENT = "current.json"
PART = ".part-"
MAX_DIRECTORIES = 2
"""The version in production and the one before it."""


class ModelCache:
    """A folder of model directories, each put there whole.

    The agent and every worker of a machine share it, so what moves or removes a directory holds
    the folder's lock.
    """

    def __init__(self, folder: Path, public_key: Path) -> None:
        """
        Args:
            public_key: the one that model directories must be signed with.
        """
        self._folder = folder
        self._public_key = public_key

    def fetch(self, version: Version, registry: "Registry") -> Path:
        """Return the version's verified directory, downloaded if there is no good one here.

        Raises:
            SignatureInvalid: its files are not what training signed; nothing of it stays here.
            TrackingUnreachable, TrackingRefused: it cannot be downloaded.
        """
        with suppress(SignatureInvalid):
            return self.verified(version)
        return self._download(version, registry)

    def verified(self, version: Version) -> Path:
        """Return the directory of a version that is here, once its signature has verified.

        Raises:
            SignatureInvalid: its files are not what training signed; the directory is removed.
        """
        with self._locked(version.name):
            return self._verify(self.path_for(version))

    def current(self, name: str) -> Version | None:
        """Return the version to serve; None on a new machine."""
        with suppress(OSError, ValueError, TypeError):
            version = Version(**json.loads((self._folder / name / CURRENT).read_bytes()))
            return version if version.name == name else None
        return None

    def contains(self, version: Version) -> bool:
        """Return whether there is a directory of the version here, good or not."""
        return self.path_for(version).is_dir()

    def revision(self, name: str) -> int:
        """Return a number that changes with each `set_current`; 0 on a new machine."""
        with suppress(OSError):
            return (self._folder / name / CURRENT).stat().st_mtime_ns
        return 0

    def set_current(self, version: Version) -> None:
        """Have the workers serve this version, now and after a restart."""
        path = self.path_for(version)
        with self._locked(version.name):
            if path.exists():  # else another agent is versions ahead, and has removed it
                write_private(path.with_name(CURRENT), json.dumps(asdict(version)).encode())

    def remove_partial_downloads(self) -> None:
        """Remove what killed downloads left; to be called before any process downloads."""
        for part in self._folder.glob(f"*/{PART}*"):
            shutil.rmtree(part, ignore_errors=True)

    def path_for(self, version: Version) -> Path:
        """Return where a version's directory is, or would be.

        A registry that was made anew counts from 1 again: the number alone is not enough.
        """
        digest = sha256(f"{version.source} {version.run_id}".encode()).hexdigest()[:12]
        return self._folder / version.name / f"{version.number}-{digest}"

    def _download(self, version: Version, registry: "Registry") -> Path:
        path = self.path_for(version)
        part = Path(mkdtemp(prefix=PART, dir=path.parent))
        try:
            registry.download(version, part)
            with self._locked(version.name):
                if not path.exists():  # else another agent was faster
                    part.rename(path)
                self._verify(path)
                self._evict(path)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return path

    def _verify(self, path: Path) -> Path:
        from terna.security import (
            signing,
        )  # imports cryptography: 20 MB that most workers save

        try:
            signing.verify(path, self._public_key)
        except SignatureInvalid:
            shutil.rmtree(path, ignore_errors=True)
            raise
        return path

    def _evict(self, newest: Path) -> None:
        """Keep the directory that is current, and of the others the newest."""
        os.utime(newest)
        current = self.current(newest.parent.name)
        kept = self.path_for(current) if current else newest
        folders = [f for f in newest.parent.iterdir() if f.is_dir() and f.name[0] != "."]
        by_age = sorted(folders, key=lambda f: (f == kept, f.stat().st_mtime))
        for old in by_age[:-MAX_DIRECTORIES]:
            shutil.rmtree(old, ignore_errors=True)
            compiled_cache.path_for(old).unlink(missing_ok=True)

    def _locked(self, name: str) -> AbstractContextManager[None]:
        return locked(self._folder / name)

"""The verified model directories on this machine: what serving starts from without the registry."""

import logging
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from terna.contracts.version import Version
from terna.errors import SettingsError, SignatureInvalid
from terna.files import locked
from terna.serving import metrics
from terna.serving.cache import compiled_cache
from terna.serving.cache.seal import Seal
from terna.serving.cache.verdict import UNKNOWN, Note, Verdict

if TYPE_CHECKING:
    # Only the agent has a registry: workers do not import MLflow.
    from terna.registry.registry import Registry

logger = logging.getLogger("terna.serving")

CURRENT, REJECTED = "current.json", "rejected.json"
PART = ".part-"
"""Begins the name of a folder that a process of this server is writing or reading."""
MAX_DIRECTORIES = 2
"""The version in production and the one before it."""
MAX_BYTES = 2_000_000_000


class ModelCache:
    """A folder of model directories, each put there whole.

    The agent and every worker of a machine share it, so what moves or removes a directory holds
    the folder's lock. Nobody else may write there.
    """

    def __init__(
        self, folder: Path, public_key: Path, secret: Path, max_bytes: int = MAX_BYTES
    ) -> None:
        """
        Args:
            public_key: the one that model directories must be signed with.
            secret: a file that nobody else can read; the seals' key is derived from it.
            max_bytes: of a version's files.
        """
        self._folder = folder
        self._public_key = public_key
        self._seal = Seal(secret)
        self._max_bytes = max_bytes

    def fetch(self, version: Version, registry: "Registry") -> Path:
        """Return the version's verified directory, downloaded if there is no good one here.

        Raises:
            SignatureInvalid, FilesRefused: its files are not what training signed, or too many or
                too large; nothing of it stays here.
            TrackingUnreachable, TrackingRefused: it cannot be downloaded.
        """
        if self.contains(version):
            with suppress(SignatureInvalid), self.verified(version):
                return self.path_for(version)
        return self._download(version, registry)

    @contextmanager
    def verified(self, version: Version) -> Iterator[Path]:
        """Yield a copy of a version's directory, once the signature of the copy has verified.

        The copy has a name that nobody else knows, so nothing can be put into its place before it
        is loaded. It is removed at the end of the `with` block: a model may read its files late.

        Raises:
            SignatureInvalid: its files are not what training signed; the directory is removed.
        """
        with self._part(version.name) as part:
            with self._locked(version.name):
                self._copy_verified(version, part)
            yield part

    def current(self, name: str) -> Version | None:
        """Return the version to serve; None on a new machine."""
        note = self._note(name, CURRENT).read()
        return note[0] if note else None

    def verdict(self, version: Version) -> Verdict | None:
        """Return what validation found of a version, if it is the current or rejected one."""
        for file in (REJECTED, CURRENT):
            note = self._note(version.name, file).read()
            if note and note[0] == version:
                return note[1]
        return None

    def contains(self, version: Version) -> bool:
        """Return whether there is a directory of the version here, good or not."""
        return self.path_for(version).is_dir()

    def revision(self, name: str) -> int:
        """Return a number that changes with each `set_current`; 0 on a new machine."""
        with suppress(OSError):
            return (self._folder / name / CURRENT).stat().st_mtime_ns
        return 0

    def set_current(self, version: Version, verdict: Verdict = UNKNOWN) -> None:
        """Have the workers serve this version, now and after a restart."""
        with self._locked(version.name):
            if self.contains(version):  # else another agent is versions ahead, and has removed it
                self._note(version.name, CURRENT).write(version, verdict)

    def set_rejected(self, version: Version, verdict: Verdict) -> None:
        """Remember that a version may not serve, also after a restart."""
        with self._locked(version.name):
            self._note(version.name, REJECTED).write(version, verdict)

    def forget_rejected(self, name: str) -> None:
        """Forget which version may not serve."""
        self._note(name, REJECTED).remove()

    def remove_partial_downloads(self) -> None:
        """Remove what killed processes left; to be called before any process downloads."""
        for part in self._folder.glob(f"*/{PART}*"):
            shutil.rmtree(part, ignore_errors=True)

    def path_for(self, version: Version) -> Path:
        """Return where a version's directory is, or would be.

        A registry that was made anew counts from 1 again: the number alone is not enough.
        """
        digest = sha256(f"{version.source} {version.run_id}".encode()).hexdigest()[:12]
        return self._folder / version.name / f"{version.number}-{digest}"

    def _download(self, version: Version, registry: "Registry") -> Path:
        from terna.registry.download import download_signed

        path = self.path_for(version)
        with self._part(version.name) as part:
            download_signed(registry, version, part, self._public_key, self._max_bytes)
            with self._locked(version.name):
                if not path.exists():  # else another agent was faster
                    part.rename(path)
                self._evict(path)
        return path

    def _copy_verified(self, version: Version, part: Path) -> None:
        from terna.security import signing  # imports cryptography: 20 MB that most workers save

        path = self.path_for(version)
        try:
            _copy(path, part, self._max_bytes)
            signing.verify(part, self._public_key)
        except SignatureInvalid:
            if path.exists():
                metrics.DAMAGED.inc()
                logger.error("the files of %s were changed or damaged here: removed", version)
                shutil.rmtree(path, ignore_errors=True)
            raise

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

    @contextmanager
    def _part(self, name: str) -> Iterator[Path]:
        """Yield a new folder of this process's own, and remove it at the end."""
        self._make_private(name)
        self._remove_abandoned(name)
        part = Path(mkdtemp(prefix=f"{PART}{os.getpid()}-", dir=self._folder / name))
        try:
            yield part
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _note(self, name: str, file: str) -> Note:
        return Note(self._folder / name / file, self._seal)

    def _locked(self, name: str) -> AbstractContextManager[None]:
        self._make_private(name)
        return locked(self._folder / name)

    def _remove_abandoned(self, name: str) -> None:
        """Remove what processes left that were killed."""
        for part in (self._folder / name).glob(f"{PART}*"):
            owner = part.name.removeprefix(PART).partition("-")[0]
            if not Path("/proc", owner).exists():
                shutil.rmtree(part, ignore_errors=True)

    def _make_private(self, name: str) -> None:
        for folder in (self._folder, self._folder / name):
            make_private(folder)


def make_private(folder: Path) -> None:
    """Make a folder, and let nobody else write there.

    Raises:
        SettingsError: it belongs to another user, or everybody can write to a folder that it is in.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.geteuid():
        raise SettingsError(f"{folder} belongs to another user: serving needs a folder of its own.")
    if found.st_mode & 0o022:
        folder.chmod(0o700)
    for parent in folder.absolute().parents:
        _check_parent(parent)


def _check_parent(folder: Path) -> None:
    """Check that not everybody can rename what is in a folder."""
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise SettingsError(f"others can write to {folder}: put TERNA_SERVING_CACHE_DIR elsewhere.")


def _copy(source: Path, target: Path, max_bytes: int) -> None:
    """Copy a directory's files into an empty folder; symbolic links stay links.

    Raises:
        SignatureInvalid: it is missing, too large, or holds what cannot be copied.
    """
    try:
        if sum(file.lstat().st_size for file in source.rglob("*")) > max_bytes:
            raise SignatureInvalid(f"{source} is larger than the version that was put there.")
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        target.chmod(0o700)  # copytree gives it the mode of the source
    except (OSError, shutil.Error) as error:
        raise SignatureInvalid(f"{source} cannot be read: {type(error).__name__}.") from error

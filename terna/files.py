"""Files that other processes read while they are written, or that are nobody else's to read."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_private(path: Path, content: bytes) -> None:
    """Write a whole file or none, which only its owner reads (OSError when it cannot be)."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(path, content, 0o600)


def write_public(path: Path, content: bytes) -> None:
    """Write a whole file or none, which everybody may read (OSError when it cannot be)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, content, 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    # One fixed name, so that an interrupted run's remains are replaced by the next run.
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a private folder for one process at a time; make it when it is missing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

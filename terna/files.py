"""Files that other processes read while they are written, or that only their owner may read."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_private(path: Path, content: bytes) -> None:
    """Replace a file by one that only its owner may read, atomically; make its folder.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(path, content, 0o600)


def append_private(path: Path) -> BinaryIO:
    """Open a file to append to, which only its owner may read, whoever made it before.

    Raises:
        OSError: it cannot be opened.
    """
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.fchmod(opened, 0o600)
    return os.fdopen(opened, "ab")


def write_public(path: Path, content: bytes) -> None:
    """Replace a file by one that everybody may read, atomically; make its folder.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, content, 0o644)


def file_state(path: Path) -> tuple[int, int] | None:
    """Return what changes when a file is written or replaced; None if it is away."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def rewrite(path: Path, content: bytes) -> None:
    """Replace a private file, atomically; it keeps its owner, its group and its mode.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    if not path.exists():
        write_private(path, content)
        return
    before = path.stat()
    with replacing(path) as part:
        _write_new(part, content, 0o600)
        if (part.stat().st_uid, part.stat().st_gid) != (before.st_uid, before.st_gid):
            os.chown(part, before.st_uid, before.st_gid)
        part.chmod(stat.S_IMODE(before.st_mode))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to, which replaces `path` atomically at the end of the `with` block.

    When the block fails, `path` is as it was, and what was written is removed.
    """
    # One fixed name, so that what an interrupted run left is replaced by the next run.
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def in_memory(content: bytes) -> Iterator[Path]:
    """Yield a path by which this user's processes read the content, which is on no disk."""
    descriptor = os.memfd_create("terna")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        yield Path(f"/proc/{os.getpid()}/fd/{descriptor}")


def _write(path: Path, content: bytes, mode: int) -> None:
    with replacing(path) as part:
        _write_new(part, content, mode)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(opened, "wb") as file:
        os.fchmod(file.fileno(), mode)  # whatever the umask is
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, for one process at a time; make the folder private when missing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

"""Files that are replaced atomically, and folders that one process at a time works in."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from terna.files import (
    append_private,
    in_memory,
    locked,
    replacing,
    write_private,
    write_public,
)

Write = Callable[[Path, bytes], None]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture(params=[0o000, 0o077], ids=["open umask", "strict umask"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    previous = os.umask(request.param)
    yield request.param
    os.umask(previous)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(("write", "expected"), [(write_private, 0o600), (write_public, 0o644)])
def test_mode_of_a_written_file_is_the_same_for_every_umask(
    tmp_path: Path, write: Write, expected: int
) -> None:
    write(tmp_path / "file", b"content")

    assert mode(tmp_path / "file") == expected


def test_private_file_gets_a_private_folder(tmp_path: Path) -> None:
    write_private(tmp_path / "folder/file", b"content")

    assert mode(tmp_path / "folder") == 0o700


@pytest.mark.parametrize("write", [write_private, write_public])
def test_write_replaces_the_content(tmp_path: Path, write: Write) -> None:
    for content in (b"before, and longer", b"after"):
        write(tmp_path / "file", content)

    assert (tmp_path / "file").read_bytes() == b"after"


@pytest.mark.parametrize("write", [write_private, write_public])
def test_failed_write_leaves_the_file_as_it_was(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    write(tmp_path / "file", b"before")
    monkeypatch.setattr(os, "fsync", full_disk)

    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "file", b"after")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"before")]


def test_what_a_killed_run_left_is_replaced(tmp_path: Path) -> None:
    with replacing(tmp_path / "file") as part:
        name = part.name
        part.write_text("1")
    (tmp_path / name).write_text("left by a killed run")

    write_private(tmp_path / "file", b"2")

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "2")]


def test_replaced_file_is_old_until_the_block_ends(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("before")

    with replacing(tmp_path / "file") as part:
        part.write_text("after")
        assert (tmp_path / "file").read_text() == "before"

    assert (tmp_path / "file").read_text() == "after"


def test_failure_in_the_block_removes_what_was_written(tmp_path: Path) -> None:
    def write_half_and_fail() -> None:
        with replacing(tmp_path / "file") as part:
            part.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half_and_fail()

    assert list(tmp_path.iterdir()) == []


def test_locked_folder_makes_other_processes_wait(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from terna.files import locked\n"
        "print('starts', flush=True)\n"
        "with locked(Path(sys.argv[1])): print(Path(sys.argv[1], 'note').read_text())"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with locked(tmp_path):
        other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert other.stdout
        assert other.stdout.readline() == "starts\n"
        (tmp_path / "note").write_text("written under the lock")

    assert other.communicate()[0] == "written under the lock\n"


def test_appended_file_is_its_owners_own_whoever_made_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before, ")
    log.chmod(0o644)

    with append_private(log) as file:
        file.write(b"after")

    assert log.read_text() == "before, after"
    assert log.stat().st_mode & 0o777 == 0o600


def test_file_in_memory_is_read_by_another_process_and_on_no_disk(tmp_path: Path) -> None:
    with in_memory(b"a customer") as path:
        read = subprocess.run(["cat", str(path)], capture_output=True, check=True).stdout

    assert read == b"a customer"
    assert not path.exists()
    assert list(tmp_path.iterdir()) == []

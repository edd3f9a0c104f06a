"""`terna --version`: the version, and the commit where it is known."""

import subprocess
from pathlib import Path

import pytest

from terna import __version__
from terna.cli import version
from tests.unit.cli.running import Terna

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@localhost")


@pytest.fixture
def checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder in which the code is, and no image."""
    monkeypatch.delenv(version.BUILT_FROM, raising=False)
    monkeypatch.setattr(version, "CHECKOUT", tmp_path)
    return tmp_path


def committed(folder: Path) -> str:
    """Make a repository with a commit; returns the commit."""
    for command in (("init", "--quiet"), ("commit", "--quiet", "--allow-empty", "-m", "a")):
        subprocess.run([*GIT, "-C", str(folder), *command], check=True)
    head = [*GIT, "-C", str(folder), "rev-parse", "HEAD"]
    return subprocess.run(head, check=True, capture_output=True, text=True).stdout.strip()


def test_image_tells_the_commit_that_it_was_built_from(
    terna: Terna, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(version.BUILT_FROM, COMMIT)
    done = terna("--version")
    assert (done.code, done.out, done.err) == (0, f"terna {__version__} (commit {COMMIT})\n", "")


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("built_from", ["unknown", ""])
def test_image_that_knows_no_commit_tells_the_version_alone(
    terna: Terna, monkeypatch: pytest.MonkeyPatch, built_from: str
) -> None:
    monkeypatch.setenv(version.BUILT_FROM, built_from)
    assert terna("--version").out == f"terna {__version__}\n"


def test_checkout_tells_its_commit(terna: Terna, checkout: Path) -> None:
    commit = committed(checkout)
    assert terna("--version").out == f"terna {__version__} (commit {commit})\n"


def test_checkout_with_changes_says_so(terna: Terna, checkout: Path) -> None:
    commit = committed(checkout)
    (checkout / "file").touch()
    subprocess.run([*GIT, "-C", str(checkout), "add", "file"], check=True)
    assert terna("--version").out == f"terna {__version__} (commit {commit}-dirty)\n"


@pytest.mark.usefixtures("checkout")
def test_installed_without_a_repository_it_tells_the_version_alone(terna: Terna) -> None:
    assert terna("--version").out == f"terna {__version__}\n"


def test_without_git_it_tells_the_version_alone(
    terna: Terna, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(checkout)
    monkeypatch.setenv("PATH", str(checkout))
    assert terna("--version").out == f"terna {__version__}\n"

"""`terna secrets`: what an operator types to change a password or a key."""

from pathlib import Path

import pytest

from tests.unit.cli.running import Terna


@pytest.fixture
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The password of a login, in a working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "secrets/tracking/logins/serving"
    path.parent.mkdir(parents=True)
    path.write_text("the first")
    return path


@pytest.mark.usefixtures("login")
def test_list_names_what_can_be_rotated(terna: Terna) -> None:
    assert terna("secrets", "list").out == "tracking/logins/serving\n"


def test_rotated_secret_is_named_and_not_shown(terna: Terna, login: Path) -> None:
    done = terna("secrets", "rotate", "tracking/logins/serving")

    assert done.out == "tracking/logins/serving is a new one.\n"
    assert login.read_text() != "the first"


def test_unknown_name_is_an_error_that_lists_the_known_ones(terna: Terna, login: Path) -> None:
    done = terna("secrets", "rotate", "training/signing.key")

    assert done.code == 1
    assert "cannot be rotated. What can be is: tracking/logins/serving." in done.err
    assert login.read_text() == "the first"

"""`terna people`: what it says, and where it looks."""

from pathlib import Path

import pytest

from tests.unit.cli.running import Terna
from tests.unit.security.test_people import SK_ED25519


@pytest.fixture
def key(tmp_path: Path) -> str:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "anna.pub").write_text(f"{SK_ED25519} [red]anna[/]\n")
    return "anna.pub"


def test_person_is_added_listed_and_removed(terna: Terna, key: str) -> None:
    assert terna("people", "add", "anna", key).out == "anna may log in with 1 key\n"
    listed = terna("people", "list").out
    assert listed.startswith("anna  sk-ssh-ed25519@openssh.com  SHA256:")
    assert listed.endswith("  [red]anna[/]\n")
    assert "may log in no longer" in terna("people", "remove", "anna").out
    assert terna("people", "list").out == ""


def test_file_that_sshd_would_not_take_hides_nobody(terna: Terna, key: str) -> None:
    terna("people", "add", "zoe", key)
    Path("secrets/training/people/ben.pub").write_text("ssh-dss AAAA\n")
    first, second = terna("people", "list").out.splitlines()
    assert first.startswith("ben  secrets/training/people/ben.pub, line 1 is no key of a type")
    assert second.startswith("zoe  sk-ssh-ed25519@openssh.com")


@pytest.mark.parametrize(
    "arguments",
    [("add", "root", "anna.pub"), ("add", "anna", "gone.pub"), ("remove", "nobody-there")],
    ids=" ".join,
)
def test_what_cannot_be_done_is_one_line_and_exit_code_1(
    terna: Terna, key: str, arguments: tuple[str, ...]
) -> None:
    assert key
    done = terna("people", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert done.err.startswith("error: ")


def test_other_folder_than_the_checkout_is_named(terna: Terna) -> None:
    assert "run this in the replica's checkout" in terna("people", "list").err

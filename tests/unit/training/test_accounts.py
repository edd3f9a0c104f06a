"""The users of server 1: made for who has keys, with an id that nobody else ever gets."""

import os
import shutil
from pathlib import Path

import pytest

from terna.training import accounts
from terna.training.accounts import FIRST_ID, Places, ensure_accounts


@pytest.fixture
def owners(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Who owns each file by its inode, as only root may give files away."""
    given: dict[str, int] = {}

    def chown(path: Path, user: int, group: int) -> None:
        assert group >= FIRST_ID
        if user != -1:
            given[str(path)] = user

    monkeypatch.setattr(os, "chown", chown)
    monkeypatch.setattr(accounts, "owner", lambda path: given.get(str(path), 0))
    return given


@pytest.fixture
def places(tmp_path: Path, owners: dict[str, int]) -> Places:  # noqa: ARG001
    found = Places(*(tmp_path / name for name in ("secrets", "home", "database", "own", "etc")))
    for folder in (found.secrets / "people", found.homes, found.database, found.system / "skel"):
        folder.mkdir(parents=True)
    (found.system / "passwd").write_text(
        "root:x:0:0::/root:/bin/sh\nmessages:x:101:101::/:/bin/sh\n"
    )
    (found.system / "group").write_text("root:x:0:\ncrew:x:50:\n")
    (found.system / "skel/.profile").write_text("# made for each")
    (found.secrets / "terna_tracking_password").write_text("the common one")
    (found.secrets / "terna_training_optuna_storage").write_text("postgresql://…")
    (found.secrets / "table.key").write_text("a key")
    return found


def let_in(places: Places, *names: str) -> None:
    for name in names:
        (places.secrets / f"people/{name}.pub").write_text("a key\n")
    ensure_accounts(places)


def users(places: Places) -> dict[str, int]:
    lines = (places.database / "passwd").read_text().splitlines()
    return {line.split(":")[0]: int(line.split(":")[2]) for line in lines}


def members(places: Places) -> list[str]:
    (line,) = (
        line
        for line in (places.database / "group").read_text().splitlines()
        if line.startswith("people:")
    )
    return line.split(":")[3].split(",")


def own(places: Places, name: str, setting: str) -> str:
    return (places.own / str(users(places)[name]) / setting).read_text()


def test_each_person_has_an_id_and_a_home_of_their_own(
    places: Places, owners: dict[str, int]
) -> None:
    let_in(places, "anna", "ben")
    assert users(places) == {"anna": FIRST_ID, "ben": FIRST_ID + 1}
    assert members(places) == ["anna", "ben"]
    for name, user in users(places).items():
        home = places.homes / name
        assert home.stat().st_mode & 0o777 == 0o700
        assert {owners[str(path)] for path in (home, home / ".profile")} == {user}
    passwd = (places.database / "passwd").read_text()
    assert f"anna:*:{FIRST_ID}:{FIRST_ID}::/home/anna:/bin/bash\n" in passwd


def test_second_look_changes_nothing(places: Places) -> None:
    let_in(places, "anna")
    before = {path: path.stat().st_ino for path in places.database.parent.rglob("*")}
    ensure_accounts(places)
    assert {path: path.stat().st_ino for path in places.database.parent.rglob("*")} == before


def test_removed_person_keeps_home_and_id_and_may_not_log_in(places: Places) -> None:
    let_in(places, "anna", "ben")
    (places.homes / "anna/report").write_text("hers")
    (places.secrets / "people/anna.pub").unlink()
    ensure_accounts(places)
    assert members(places) == ["ben"]
    assert users(places)["anna"] == FIRST_ID
    assert (places.homes / "anna/report").read_text() == "hers"
    assert not (places.own / str(FIRST_ID)).exists()


def test_next_person_does_not_get_the_id_of_one_who_was_removed(places: Places) -> None:
    let_in(places, "anna", "ben")
    for name in ("anna", "ben"):
        (places.secrets / f"people/{name}.pub").unlink()
    let_in(places, "carla")
    assert users(places)["carla"] == FIRST_ID + 2


def test_person_who_comes_back_has_the_same_id(places: Places) -> None:
    let_in(places, "anna", "ben")
    (places.secrets / "people/anna.pub").unlink()
    ensure_accounts(places)
    let_in(places, "anna")
    assert users(places)["anna"] == FIRST_ID
    assert members(places) == ["anna", "ben"]


def test_new_container_finds_the_same_ids_without_the_database(places: Places) -> None:
    let_in(places, "zoe")
    let_in(places, "anna")
    (places.database / "passwd").unlink()
    ensure_accounts(places)
    assert users(places) == {"zoe": FIRST_ID, "anna": FIRST_ID + 1}


@pytest.mark.parametrize("name", ["root", "messages", "crew", "sshd", "Anna", "a:0:0", "a b", ".x"])
def test_name_of_the_systems_own_or_none_at_all_makes_no_user(places: Places, name: str) -> None:
    let_in(places, name, "anna")
    assert set(users(places)) == {"anna"}
    assert not (places.homes / name).exists()


@pytest.mark.parametrize("step", ["copytree", "rename", "chown"])
def test_interrupted_home_is_completed_the_next_time(
    places: Places, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise OSError("interrupted")

    holder = {"copytree": shutil, "rename": Path, "chown": os}[step]
    with monkeypatch.context() as patched:
        patched.setattr(holder, step, interrupt)
        with pytest.raises(OSError, match="interrupted"):
            let_in(places, "anna")
    ensure_accounts(places)
    assert users(places) == {"anna": FIRST_ID}
    assert (places.homes / "anna/.profile").exists()


def test_home_of_roots_is_nobodys_user(places: Places) -> None:
    (places.homes / "lost").mkdir()
    let_in(places, "anna")
    assert set(users(places)) == {"anna"}


def test_session_has_the_common_login_where_the_person_has_none(places: Places) -> None:
    let_in(places, "anna")
    assert own(places, "anna", "terna_tracking_user") == "training"
    assert own(places, "anna", "terna_tracking_password") == "the common one"
    assert own(places, "anna", "terna_training_optuna_storage") == "postgresql://…"
    assert Path(own(places, "anna", "terna_training_table_key")).read_text() == "a key"


def test_session_has_the_persons_own_login_from_the_moment_it_is_there(places: Places) -> None:
    let_in(places, "anna", "ben")
    (places.secrets / "people/anna.password").write_text("hers")
    ensure_accounts(places)
    assert own(places, "anna", "terna_tracking_user") == "anna"
    assert own(places, "anna", "terna_tracking_password") == "hers"
    assert own(places, "ben", "terna_tracking_password") == "the common one"


def test_folder_of_a_persons_secrets_is_closed_to_others(places: Places) -> None:
    let_in(places, "anna")
    assert (places.own / str(FIRST_ID)).stat().st_mode & 0o777 == 0o750
    assert places.own.stat().st_mode & 0o777 == 0o755

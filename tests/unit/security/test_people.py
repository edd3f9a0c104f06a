"""Who may log in to server 1: names and keys that can be used, and those that cannot."""

import subprocess
from pathlib import Path

import pytest

from terna.errors import SettingsError
from terna.security import people
from terna.security.people import FOLDER, LOGINS, SECURITY_KEYS, Key, add, keys_of, names, remove

SK_ED25519 = (
    "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIEzc823/Vm9hch8UWaTse"
    "3VAms5QFf4yBtMPkp63WJqnAAAABHNzaDo="
)
SK_ECDSA = (
    "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbm"
    "lzdHAyNTYAAABBBDoXKBnEybbmS4OhLmbFWGi4nPKCAg7KIfQlDupi5R7h+YBTfK7xNByS3T8wq9CL2K4wtC2c9qphd"
    "b4iZJ4RNXkAAAAEc3NoOg=="
)


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    return folder


def generate(folder: Path, *kind: str, comment: str = "anna@laptop") -> Path:
    """Make a key pair by ssh-keygen; returns the path of its public key."""
    private = folder / f"id_{'_'.join(kind)}_{len(list(folder.iterdir()))}"
    command = ["ssh-keygen", "-q", "-N", "", "-C", comment, "-f", str(private), "-t", *kind]
    subprocess.run(command, check=True)
    return private.with_suffix(".pub") if private.suffix else Path(f"{private}.pub")


def everybody(secrets: Path) -> list[Key]:
    return [key for name in names(secrets) for key in keys_of(secrets, name)]


def written(folder: Path, text: str) -> Path:
    path = folder / "given.pub"
    path.write_text(text)
    return path


def fingerprint(public: Path) -> str:
    told = subprocess.run(["ssh-keygen", "-lf", public], capture_output=True, text=True, check=True)
    return told.stdout.split()[1]


@pytest.mark.parametrize("kind", [("ed25519",), ("rsa", "-b", "3072")], ids=" ".join)
def test_added_key_is_listed_as_ssh_keygen_lists_it(
    secrets: Path, tmp_path: Path, kind: tuple[str, ...]
) -> None:
    public = generate(tmp_path, *kind)
    add(secrets, "anna", public)
    (key,) = everybody(secrets)
    assert (key.person, key.comment) == ("anna", "anna@laptop")
    assert key.fingerprint == fingerprint(public)
    assert (secrets / FOLDER / "anna.pub").read_text() == public.read_text()


@pytest.mark.parametrize("line", [SK_ED25519, SK_ECDSA], ids=SECURITY_KEYS)
def test_security_keys_are_taken(secrets: Path, tmp_path: Path, line: str) -> None:
    public = written(tmp_path, f"{line} a token\n")
    (key,) = add(secrets, "anna", public)
    assert key.type in SECURITY_KEYS
    assert (key.fingerprint, key.comment) == (fingerprint(public), "a token")


def test_second_key_is_added_to_the_first_and_a_known_one_is_not_added_again(
    secrets: Path, tmp_path: Path
) -> None:
    first, second = generate(tmp_path, "ed25519"), written(tmp_path, SK_ED25519)
    add(secrets, "anna", first)
    assert len(add(secrets, "anna", second)) == 2
    assert len(add(secrets, "anna", second)) == 2
    assert [key.person for key in everybody(secrets)] == ["anna", "anna"]


def test_file_may_hold_several_keys_and_comments(secrets: Path, tmp_path: Path) -> None:
    several = written(tmp_path, f"# hers\n{SK_ED25519} one\n\n{SK_ECDSA} two\n")
    assert [key.comment for key in add(secrets, "anna", several)] == ["one", "two"]


@pytest.mark.parametrize(
    "name", ["", "Anna", "1a", "anna.b", "../anna", "anna/b", "a" * 32, "-anna", "änna", "anna\n"]
)
def test_name_that_is_none_of_a_user_is_refused(secrets: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="A person's name is"):
        add(secrets, name, written(tmp_path, SK_ED25519))


@pytest.mark.parametrize("name", ["root", "sshd", "training", "signer", "people", "promoting"])
def test_name_of_the_systems_own_is_refused(secrets: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="choose another name"):
        add(secrets, name, written(tmp_path, SK_ED25519))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no public key"),
        ("# only a comment\n", "holds no public key"),
        ("ssh-ed25519 AAAA\n", "line 1 is no whole public key"),
        (f"{SK_ED25519}\nssh-ed25519 {SK_ED25519.split()[1]}\n", "line 2 is no whole public key"),
        ("ssh-dss AAAA\n", "line 1 is no key of a type"),
        (f'command="id" {SK_ED25519}\n', "line 1 is no key of a type"),
        (SK_ED25519[:-10], "is no whole public key"),
        ("\x1b]0;title\x07\n", "is no key of a type"),
    ],
)
def test_text_that_is_no_key_is_refused(
    secrets: Path, tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(SettingsError, match=reason) as refused:
        add(secrets, "anna", written(tmp_path, text))
    assert str(refused.value).isprintable()
    assert everybody(secrets) == []


@pytest.mark.parametrize("kind", [("rsa", "-b", "2048"), ("ecdsa",)], ids=" ".join)
def test_key_that_sshd_would_not_take_is_refused(
    secrets: Path, tmp_path: Path, kind: tuple[str, ...]
) -> None:
    with pytest.raises(SettingsError, match=r"2048 bits|no key of a type"):
        add(secrets, "anna", generate(tmp_path, *kind))


def test_private_key_is_refused_and_not_repeated(secrets: Path, tmp_path: Path) -> None:
    private = generate(tmp_path, "ed25519").with_suffix("")
    with pytest.raises(SettingsError, match=r"is a private key: give the \.pub") as refused:
        add(secrets, "anna", private)
    assert private.read_text().splitlines()[1] not in str(refused.value)


def test_file_that_is_missing_or_no_text_is_named(secrets: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.pub cannot be read"):
        add(secrets, "anna", tmp_path / "gone.pub")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="it is no text"):
        add(secrets, "anna", tmp_path / "binary")


def test_removed_person_is_not_listed_and_others_stay(secrets: Path, tmp_path: Path) -> None:
    for name in ("anna", "ben"):
        add(secrets, name, written(tmp_path, SK_ED25519))
    remove(secrets, "anna")
    assert [key.person for key in everybody(secrets)] == ["ben"]
    with pytest.raises(SettingsError, match="There is no person anna"):
        remove(secrets, "anna")


def test_person_with_a_login_has_one_password_in_both_places_until_removed(
    secrets: Path, tmp_path: Path
) -> None:
    for _ in range(2):  # the second time changes nothing
        add(secrets, "anna", written(tmp_path, SK_ED25519))
    add(secrets, "ben", written(tmp_path, SK_ED25519))
    password = (secrets / LOGINS / "anna").read_text()
    assert (secrets / FOLDER / "anna.password").read_text() == password
    assert (secrets / LOGINS / "ben").read_text() != password
    add(secrets, "anna", written(tmp_path, SK_ED25519), may_promote=True)
    add(secrets, "anna", written(tmp_path, SK_ECDSA))
    assert (secrets / LOGINS / "anna").read_text() == f"{password} promoting"
    assert (secrets / FOLDER / "anna.password").read_text() == password
    remove(secrets, "anna")
    assert not (secrets / LOGINS / "anna").exists()
    assert not (secrets / FOLDER / "anna.password").exists()


def test_people_of_before_there_were_logins_get_one(secrets: Path, tmp_path: Path) -> None:
    for name in ("analyst", "anna"):
        add(secrets, name, written(tmp_path, SK_ED25519))
        (secrets / LOGINS / name).unlink()
    people.ensure_people(secrets, "analyst", SK_ECDSA)
    assert (secrets / LOGINS / "analyst").read_text().endswith(" promoting")
    assert " " not in (secrets / LOGINS / "anna").read_text()
    assert [key.line for key in everybody(secrets)] == [SK_ED25519] * 2

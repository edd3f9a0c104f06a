"""Logins by a directory of people: its password, and the second factor all the same."""

import os
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.integration.tryton.people import Enrolled, enrol, make_user
from tests.integration.tryton.server import ADMINISTRATOR, PASSWORD, Erp, Refused, running_erp
from tests.integration.tryton.slapd import READER_PASSWORD, SLAPD, directory

pytestmark = pytest.mark.skipif(not SLAPD, reason="needs slapd")

ALICE = "alice's password in the directory"
STRANGER = "a password of somebody who is no user"
UNAUTHORIZED = "401"


@pytest.fixture(scope="module")
def erp(erp_folder: Callable[[], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Erp]:
    """A server that asks a directory for passwords, and has passwords of its own too."""
    folder = tmp_path_factory.mktemp("slapd")
    with (
        pytest.MonkeyPatch.context() as patch,
        directory(folder, {"alice": ALICE, "stranger": STRANGER}) as uri,
    ):
        patch.setitem(os.environ, "SSL_CERT_FILE", str(folder / "certs/ca.crt"))
        (folder / "reader.password").write_text(READER_PASSWORD)
        with running_erp(
            erp_folder(),
            session={"authentications": "password+totp,ldap+totp"},
            ldap_authentication={"uri": uri},
            terna={"ldap_password_file": str(folder / "reader.password")},
        ) as erp:
            yield erp


@pytest.fixture(scope="module")
def alice(erp: Erp) -> Enrolled:
    """A user whose password only the directory knows."""
    make_user(erp, enrol(erp, ADMINISTRATOR), "alice")
    return enrol(erp, "alice", ALICE)


def test_password_of_the_directory_logs_in_with_a_code_and_not_without(
    erp: Erp, alice: Enrolled
) -> None:
    with pytest.raises(Refused, match="authenticator app"):
        erp.log_in("alice", password=ALICE)
    with pytest.raises(Refused, match=UNAUTHORIZED):
        erp.log_in("alice", password=ALICE, totp_code="000000")
    session = erp.log_in("alice", password=ALICE, totp_code=alice.code(later=1))
    assert session.user == alice.session.user


@pytest.mark.parametrize("password", ["wrong", "", PASSWORD])
def test_other_passwords_are_refused(erp: Erp, alice: Enrolled, password: str) -> None:
    with pytest.raises(Refused, match=UNAUTHORIZED):
        erp.log_in("alice", password=password, totp_code=alice.recovery_codes[0])


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize("login", ["alic*", "ALICE", "*)(uid=alice", "alice)(|(uid=*)"])
def test_other_spellings_of_a_login_do_not_reach_the_directory(erp: Erp, login: str) -> None:
    with pytest.raises(Refused, match=UNAUTHORIZED):
        erp.log_in(login, password=ALICE)
    assert "LDAPError" not in erp.log()


@pytest.mark.usefixtures("alice")
def test_person_of_the_directory_who_is_no_user_gets_none(erp: Erp) -> None:
    with pytest.raises(Refused, match=UNAUTHORIZED):
        erp.log_in("stranger", password=STRANGER)
    assert erp.query("SELECT login FROM res_user WHERE login = 'stranger'") == []


def config_of(erp: Erp) -> ConfigParser:
    found = ConfigParser(interpolation=None)
    found.read(erp.folder / "trytond.conf")
    return found


def test_password_for_the_search_that_cannot_be_read_is_named_in_the_log(
    erp: Erp, alice: Enrolled
) -> None:
    file = Path(config_of(erp)["terna"]["ldap_password_file"])
    hidden = file.rename(file.with_suffix(".hidden"))
    try:
        with pytest.raises(Refused, match=UNAUTHORIZED):
            erp.log_in("alice", password=ALICE, totp_code=alice.recovery_codes[1])
    finally:
        hidden.rename(file)
    assert f"ldap_password_file in [terna]: {file}: FileNotFoundError" in erp.log()

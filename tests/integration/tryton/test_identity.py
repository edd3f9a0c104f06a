"""Encrypted columns and pseudonyms: what the database holds, and what new keys change of it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from trytond import backend
from trytond.exceptions import UserError
from trytond.pool import Pool
from trytond.transaction import Transaction

from terna.erp.tryton import keys
from tests.integration.tryton.server import DATABASE

CODE = "12345678-Z"


@pytest.fixture
def key_files(secrets: Path) -> Iterator[Path]:
    """The folder of the keys, which is as it was after the test."""
    before = {file: file.read_bytes() for file in secrets.iterdir()}
    yield secrets
    for file, content in before.items():
        file.write_bytes(content)


@pytest.fixture
def system(tryton: Pool) -> Iterator[Pool]:
    """Tryton's own user, who sees what is stored."""
    with Transaction().set_user(0):
        yield tryton


@pytest.fixture
def party(system: Pool) -> Any:
    (made,) = system.get("party.party").create(
        [{"name": "María García", "identifiers": [("create", [{"code": CODE}])]}]
    )
    return made


@pytest.fixture
def churn(system: Pool) -> Any:
    (made,) = system.get("terna.endpoint").create([{"name": "churn", "title": "Churn"}])
    return made


def stored(identifier: Any) -> str:
    table, cursor = identifier.__table__(), Transaction().connection.cursor()
    cursor.execute(*table.select(table.code, where=table.id == identifier.id))
    return str(cursor.fetchone()[0])


def store(identifier: Any, value: str) -> None:
    table, cursor = identifier.__table__(), Transaction().connection.cursor()
    cursor.execute(*table.update([table.code], [value], where=table.id == identifier.id))
    Transaction().counter += 1


def new_first_line(file: Path, key: bytes) -> None:
    file.write_bytes(key + b"\n" + file.read_bytes())


def pseudonym_of(party: Any, endpoint: Any) -> str:
    return str(Pool().get("terna.pseudonym").of([party], endpoint)[party.id])


def search(code: str) -> list[Any]:
    found: list[Any] = Pool().get("party.identifier").search([("code", "=", code)])
    return found


def test_column_holds_a_hash_and_a_token(party: Any) -> None:
    (identifier,) = party.identifiers

    assert CODE not in stored(identifier)
    assert keys.decrypt(stored(identifier)) == CODE
    assert keys.encrypt(CODE, "code")[: keys.HASH_LENGTH] == stored(identifier)[: keys.HASH_LENGTH]
    assert keys.encrypt(CODE, "code") != stored(identifier)
    assert keys.encrypt(CODE, "value")[:20] != stored(identifier)[:20]


def test_new_keys_read_and_find_what_the_former_have_written(party: Any, key_files: Path) -> None:
    (identifier,) = party.identifiers
    before = stored(identifier)
    new_first_line(key_files / keys.IDENTITY, Fernet.generate_key())
    new_first_line(key_files / keys.SEARCH, b"another")

    assert search(CODE) == [identifier]
    assert identifier.encrypt_again() == 1
    assert identifier.encrypt_again() == 0
    assert stored(identifier) != before

    for name in (keys.IDENTITY, keys.SEARCH):  # the former keys are needed no more
        first = (key_files / name).read_bytes().split()[0]
        (key_files / name).write_bytes(first)
    assert search(CODE) == [identifier]
    assert keys.decrypt(stored(identifier)) == CODE


def test_values_from_before_the_module_are_encrypted(party: Any) -> None:
    (identifier,) = party.identifiers
    store(identifier, CODE)

    assert identifier.encrypt_again() == 1
    assert CODE not in stored(identifier)
    assert search(CODE.lower()) == [identifier]


def test_erased_party_leaves_no_copy(party: Any, system: Pool) -> None:
    phone = {"party": party.id, "type": "other", "value": "600 11 22 33"}
    (mechanism,) = system.get("party.contact_mechanism").create([phone])
    (identifier,) = party.identifiers
    wizard = system.get("party.erase", type="wizard")
    party.active = False
    party.save()
    erase = wizard(wizard.create()[0])
    erase.ask.party = party

    erase.transition_erase()

    cursor = Transaction().connection.cursor()
    table = mechanism.__table__()
    cursor.execute(*table.select(table.value, table.value_compact, where=table.id == mechanism.id))
    assert cursor.fetchone() == (None, None)
    assert stored(identifier) == "****"
    assert identifier.read([identifier.id], ["code"])[0]["code"] == "****"


@pytest.mark.parametrize("name", [keys.IDENTITY, keys.SEARCH])
def test_missing_key_is_one_clear_line(party: Any, key_files: Path, name: str) -> None:
    (key_files / name).write_bytes(b"")

    with pytest.raises(UserError) as error:
        Pool().get("party.identifier").create([{"party": party.id, "code": "another"}])

    assert error.value.message.startswith(f"{key_files / name} holds no key: `terna certificates`")
    assert "\n" not in error.value.message


def test_wrong_key_names_the_file_and_no_value(party: Any, key_files: Path) -> None:
    (identifier,) = party.identifiers
    (key_files / keys.IDENTITY).write_bytes(Fernet.generate_key())

    with pytest.raises(UserError, match=r"No key in .*identity\.key has encrypted this value"):
        keys.decrypt(stored(identifier))


def test_line_that_is_no_key_is_said(key_files: Path) -> None:
    (key_files / keys.IDENTITY).write_text("no key")

    with pytest.raises(UserError, match="a line that is no Fernet key"):
        keys.decrypt("h" * keys.HASH_LENGTH + ":gAAAA")


def test_pseudonym_is_of_party_and_endpoint(party: Any, churn: Any, system: Pool) -> None:
    (other,) = system.get("terna.endpoint").create([{"name": "other", "title": "Other"}])

    pseudonym = pseudonym_of(party, churn)

    assert pseudonym == pseudonym_of(party, churn)
    assert pseudonym != pseudonym_of(party, other)
    assert str(party.id) != pseudonym
    assert system.get("terna.pseudonym").search_count([("value", "=", pseudonym)]) == 1


def test_new_key_makes_new_pseudonyms_and_the_former_are_still_joined(
    party: Any, churn: Any, system: Pool, key_files: Path
) -> None:
    former = pseudonym_of(party, churn)
    (key_files / keys.PSEUDONYM).write_text("another")

    new = pseudonym_of(party, churn)

    assert new != former
    assert system.get("terna.pseudonym").parties([former, new, "unknown"]) == {
        former: party,
        new: party,
    }
    generations = {each.generation for each in system.get("terna.pseudonym").search([])}
    assert len(generations) == 2


@pytest.mark.parametrize(
    ("text", "same"),
    [("12345678-Z", "12345678z"), ("+34 600 11", "+3460011"), ("Ana@X.example", "ana@x.EXAMPLE")],
)
def test_values_are_compared_normalized(text: str, same: str) -> None:
    assert keys.normalized(text) == keys.normalized(same)


def test_dots_of_e_mail_addresses_count() -> None:
    assert keys.normalized("a.b@x.example") != keys.normalized("ab@x.example")


@pytest.mark.skipif(backend.name == "postgresql", reason="this run is the one on Postgres")
def test_all_of_this_holds_on_postgres(on_postgres: tuple[Path, str]) -> None:
    """In a process of its own, as trytond has one backend."""
    _, uri = on_postgres
    environment = {**os.environ, "TRYTOND_DATABASE_URI": uri, "DB_NAME": DATABASE}
    command = [sys.executable, "-m", "pytest", __file__, "-p", "no:cacheprovider"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "1 skipped" in done.stdout

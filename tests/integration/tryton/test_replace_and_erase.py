"""Tryton's wizards that replace and erase a party: what becomes of labels, outcomes, features."""

from collections.abc import Callable
from typing import Any

import pytest
from sql import Column
from trytond.pool import Pool
from trytond.transaction import Transaction

from terna.erp.tryton.customer import now
from tests.integration.tryton.conftest import VALUES, run_tasks

Customer = Callable[..., Any]


@pytest.fixture
def features(tryton: Pool) -> Any:
    return tryton.get("terna.customer.features")


@pytest.fixture
def note(tryton: Pool) -> Customer:
    """Note what became true of a customer."""

    def make(of: Any) -> Any:
        outcome = {"party": of.party.id, "endpoint": of.endpoint.id, "label": "yes"}
        (made,) = tryton.get("terna.outcome").create([outcome])
        return made

    return make


def replace(source: Any, destination: Any) -> None:
    """Replace a party by another one."""
    wizard = Pool().get("party.replace", type="wizard")
    replace = wizard(wizard.create()[0])
    replace.ask.source, replace.ask.destination = source, destination
    replace.transition_replace()
    _forget_read()


def erase(party: Any) -> None:
    """Erase a party, which must not be active any more."""
    party.active = False
    party.save()
    wizard = Pool().get("party.erase", type="wizard")
    erase = wizard(wizard.create()[0])
    erase.ask.party = party
    with Transaction().set_user(0):
        erase.transition_erase()
    _forget_read()


def _forget_read() -> None:
    for cache in Transaction().cache.values():
        cache.clear()


def party(name: str = "Ada") -> Any:
    (made,) = Pool().get("party.party").create([{"name": name}])
    return made


def all_values_of(model: Any, id_: int) -> set[str | None]:
    """Return what the columns `values` of a record's table and history hold."""
    cursor, found = Transaction().connection.cursor(), set()
    for table in (model.__table__(), model.__table_history__()):
        cursor.execute(*table.select(Column(table, "values"), where=table.id == id_))
        found |= {value for (value,) in cursor.fetchall()}
    return found


def test_party_that_replaces_gets_features_labels_and_outcomes(
    features: Any, customer: Customer, note: Customer
) -> None:
    made, destination = customer(), party()
    features.ask_label([made])
    outcome, source = note(made), made.party

    replace(source, destination)

    moved = features(made.id)
    assert moved.party == outcome.__class__(outcome.id).party == destination
    assert [each.party for each in moved.history] == [destination]
    assert (moved.values, moved.why) == (VALUES, None)
    features.ask_label([moved])
    assert [each.question for each in features(made.id).history] == [2, 1]


def test_features_of_the_party_that_replaces_count(
    features: Any, customer: Customer, note: Customer
) -> None:
    duplicate, own = customer(calls=8), customer(calls=1)
    features.ask_label([duplicate, own])
    outcome = note(duplicate)

    replace(duplicate.party, own.party)

    duplicate, own = features(duplicate.id), features(own.id)
    assert own.values["calls"] == 1
    assert len(own.history) == len(duplicate.history) == 1
    assert duplicate.party.replaced_by == own.party == outcome.__class__(outcome.id).party
    assert duplicate.history[0].party == duplicate.party


def test_pseudonyms_are_joined_with_the_party_that_replaces(
    features: Any, customer: Customer, endpoint: Any, tryton: Pool
) -> None:
    made, destination = customer(), party()
    pseudonyms = tryton.get("terna.pseudonym")
    sent = pseudonyms.of([made.party], endpoint)[made.party.id]

    replace(made.party, destination)
    features.ask_label([features(made.id)])

    own = pseudonyms.of([destination], endpoint)[destination.id]
    assert own != sent
    assert pseudonyms.parties([sent, own]) == {sent: destination, own: destination}


def test_nobody_asks_for_a_party_that_is_not_active(features: Any, customer: Customer) -> None:
    gone, here = customer(), customer()
    gone.party.active = False
    gone.party.save()

    features.queue_due_labels()
    run_tasks()

    assert features(here.id).label
    assert (features(gone.id).question, features(gone.id).waiting) == (0, False)


def test_erased_party_leaves_labels_and_outcomes_without_features(
    features: Any, customer: Customer, note: Customer
) -> None:
    made = customer()
    features.write([made], {"values": VALUES | {"calls": 4}})
    features.ask_label([made])
    outcome = note(made)

    erase(made.party)

    assert all_values_of(features, made.id) == {None}
    assert not outcome.__class__(outcome.id).values
    assert outcome.__class__(outcome.id).label == "yes"
    assert len(features(made.id).history) == 1


def test_erased_party_is_joined_with_no_pseudonym(
    customer: Customer, endpoint: Any, tryton: Pool, note: Customer
) -> None:
    made, duplicate, other = customer(), customer(), customer()
    pseudonyms = tryton.get("terna.pseudonym")
    parties = [made.party, duplicate.party, other.party]
    of = pseudonyms.of(parties, endpoint)
    outcome = note(made)
    replace(duplicate.party, made.party)
    pseudonyms.of([duplicate.party], endpoint)

    erase(made.party)

    assert pseudonyms.parties([*of.values()]) == {of[other.party.id]: other.party}
    assert outcome.__class__(outcome.id).pseudonym is None


def test_question_about_an_erased_party_is_not_asked(
    features: Any, customer: Customer, monkeypatch: pytest.MonkeyPatch, endpoint: Any
) -> None:
    made = customer()
    with monkeypatch.context() as patch:
        patch.setenv("TERNA_ERP_ENDPOINT", "https://localhost:1/invocations")
        features.ask_label([made])
    endpoint.write([endpoint], {"next_attempt": now()})

    erase(made.party)
    features.queue_due_labels()

    assert run_tasks() == 0
    assert not features(made.id).waiting

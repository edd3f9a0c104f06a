"""Outcomes: noted by people, with the features as they are then, and kept until they are sent."""

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from trytond.model.exceptions import AccessError, RequiredValidationError, ValidationError
from trytond.pool import Pool
from trytond.transaction import Transaction, check_access

from terna.erp.tryton import keys
from tests.integration.tryton.conftest import VALUES, run_tasks

Make = Callable[..., Any]


@pytest.fixture
def note(tryton: Pool, endpoint: Any) -> Make:
    """Note what became true of a customer."""

    def make(features: Any, label: str | None = "yes", **values: Any) -> Any:
        outcome = {"party": features.party.id, "endpoint": endpoint.id, "label": label}
        (made,) = tryton.get("terna.outcome").create([outcome | values])
        return made

    return make


@contextmanager
def being(role: str) -> Iterator[int]:
    """Be a user of this role, whose rights are checked as a client's are."""
    group = Pool().get("ir.model.data").get_id("terna", f"group_{role}")
    user = {"name": role, "login": role, "groups": [("add", [group])]}
    (made,) = Pool().get("res.user").create([user])
    with Transaction().set_user(made.id), check_access():
        yield made.id


@pytest.mark.parametrize("role", ["clerk", "case_handler"])
def test_outcome_has_who_noted_it_the_day_and_its_label_in_words(
    customer: Make, note: Make, role: str
) -> None:
    features = customer()

    with being(role) as user:
        noted = note(features)

    assert (noted.noted_by.id, noted.state, noted.word) == (user, "queued", "Leaves")
    assert noted.date == Pool().get("ir.date").today()


@pytest.mark.parametrize("role", ["analyst", "auditor", "administrator"])
def test_outcome_is_noted_by_no_other_role(customer: Make, note: Make, role: str) -> None:
    features = customer()

    with being(role), pytest.raises(AccessError):
        note(features)


def test_only_endpoint_need_not_be_chosen(tryton: Pool, endpoint: Any) -> None:
    models = [tryton.get(name) for name in ("terna.outcome", "terna.customer.features")]
    assert [model.default_endpoint() for model in models] == [endpoint.id] * 2
    tryton.get("terna.endpoint").create([{"name": "other", "title": "Other"}])
    assert [model.default_endpoint() for model in models] == [None] * 2


def test_outcome_may_be_of_another_day(customer: Make, note: Make) -> None:
    day = dt.date(2026, 3, 1)

    assert note(customer(), date=day).date == day


def test_outcome_keeps_the_features_as_they_were(tryton: Pool, customer: Make, note: Make) -> None:
    features = customer()

    with being("clerk"):  # who does not see them
        first = note(features)
    tryton.get("terna.customer.features").write([features], {"values": VALUES | {"calls": 9}})
    second = note(features, "no")

    assert first.values == VALUES
    assert second.values == VALUES | {"calls": 9}


def test_outcomes_noted_together_have_the_features_of_their_own_customers(
    tryton: Pool, endpoint: Any, customer: Make
) -> None:
    customers = [customer(calls=number) for number in range(3)]

    noted = tryton.get("terna.outcome").create(
        [
            {"party": each.party.id, "endpoint": endpoint.id, "label": "no"}
            for each in reversed(customers)
        ]
    )

    assert [outcome.values["calls"] for outcome in noted] == [2, 1, 0]


def test_outcome_of_a_customer_without_features_has_none(
    tryton: Pool, endpoint: Any, note: Make
) -> None:
    (party,) = tryton.get("party.party").create([{"name": "Grace"}])
    none_yet = tryton.get("terna.customer.features")(party=party, endpoint=endpoint)

    assert not note(none_yet).values


def test_outcome_without_a_label_is_refused(customer: Make, note: Make) -> None:
    with pytest.raises(RequiredValidationError):
        note(customer(), None)


def test_labels_of_the_endpoint_are_offered_in_words(endpoint: Any, tryton: Pool) -> None:
    offered = tryton.get("terna.outcome")(endpoint=endpoint, label=None).selection_label()

    assert offered == [(None, ""), ("no", "Stays"), ("yes", "Leaves")]


NO_LABEL = '"Churn" does not have this label: note one of its labels.'


@pytest.mark.parametrize("role", ["clerk", "case_handler"])
@pytest.mark.parametrize("label", ["maybe", "Leaves", "YES", " yes"])
def test_outcome_is_a_label_of_the_endpoint(
    tryton: Pool, customer: Make, note: Make, role: str, label: str
) -> None:
    features, noted = customer(), note(customer())

    with being(role):
        for attempt in (
            lambda: note(features, label),
            lambda: tryton.get("terna.outcome").write([noted], {"label": label}),
        ):
            with pytest.raises(ValidationError) as refused:
                attempt()
            assert refused.value.message == NO_LABEL


def test_outcome_keeps_a_label_that_lost_its_word(
    tryton: Pool, endpoint: Any, customer: Make, note: Make
) -> None:
    noted = note(customer())
    endpoint.write([endpoint], {"labels": "no: Stays"})

    tryton.get("terna.outcome").write([noted], {"date": dt.date(2026, 3, 1)})

    assert (noted.label, noted.date) == ("yes", dt.date(2026, 3, 1))


def test_without_words_outcomes_are_labels_that_server_2_has_answered(
    tryton: Pool, endpoint: Any, customer: Make, note: Make
) -> None:
    features = customer()
    endpoint.write([endpoint], {"labels": None})
    with pytest.raises(ValidationError, match="note one of its labels"):
        note(features, "no")

    tryton.get("terna.customer.features").ask_label([features])
    answered = tryton.get("terna.customer.features")(features.id).label

    offered = tryton.get("terna.outcome")(endpoint=endpoint, label=None).selection_label()
    assert offered == [(None, ""), (answered, answered)]
    assert note(features, answered).word == answered
    with pytest.raises(ValidationError, match="note one of its labels"):
        note(features, "maybe")


@pytest.mark.parametrize(
    "forged", [{"values": VALUES}, {"noted_by": 1}, {"state": "sent"}, {"pseudonym": "x"}], ids=str
)
def test_what_the_module_writes_is_given_by_no_client(
    customer: Make, note: Make, forged: dict[str, Any]
) -> None:
    features = customer()

    with being("case_handler"), pytest.raises(AccessError, match="is not written by hand"):
        note(features, **forged)


def test_queued_outcome_is_corrected_and_a_sent_one_is_not(
    tryton: Pool, customer: Make, note: Make
) -> None:
    outcomes, noted = tryton.get("terna.outcome"), note(customer())

    with being("clerk"):
        outcomes.write([noted], {"label": "no"})
    assert noted.label == "no"
    outcomes.write([noted], {"state": "sent"})
    with being("case_handler"), pytest.raises(AccessError, match="note another one"):
        outcomes.write([noted], {"label": "yes"})
    assert outcomes(noted.id).label == "no"


@pytest.mark.parametrize("role", ["clerk", "case_handler", "analyst", "administrator"])
def test_outcome_is_deleted_by_nobody(tryton: Pool, customer: Make, note: Make, role: str) -> None:
    noted = note(customer())

    with being(role), pytest.raises(AccessError):
        tryton.get("terna.outcome").delete([noted])


@pytest.mark.usefixtures("asks_server_2")
def test_outcome_stays_queued_while_labels_are_asked_for(
    tryton: Pool, customer: Make, note: Make
) -> None:
    features = customer()
    noted = note(features)

    tryton.get("terna.customer.features").ask_label([features])
    run_tasks()

    assert tryton.get("terna.outcome").search([("state", "=", "queued")]) == [noted]
    assert noted.label == "yes"


@pytest.mark.parametrize("role", ["case_handler", "analyst"])
def test_export_has_a_column_for_each_feature(
    tryton: Pool, customer: Make, note: Make, role: str
) -> None:
    noted = [note(customer()), note(customer(plan=None, calls=0), "no")]

    with being(role):
        table = tryton.get("terna.outcome").export_data(
            noted, ["label", "values", "state"], header=True
        )
    rows = list(csv.DictReader(io.StringIO(_csv(table))))

    features = {"minutes": "120.5", "plan": "basic", "calls": "3", "vip": "True"}
    assert rows[0] == {"What Became True": "yes", "State": "queued"} | features
    assert rows[1] == rows[0] | {"What Became True": "no", "plan": "", "calls": "0"}


@pytest.mark.parametrize("role", ["clerk", "case_handler", "analyst"])
def test_export_joins_by_a_pseudonym_and_without_a_name(
    tryton: Pool, endpoint: Any, customer: Make, note: Make, role: str
) -> None:
    features, other = customer(), customer()
    noted = [note(each) for each in (features, other, features)]
    pseudonyms = tryton.get("terna.pseudonym").of([features.party, other.party], endpoint)

    with being(role):
        table = tryton.get("terna.outcome").export_data(noted, ["pseudonym", "label"], header=True)

    own, of_other = pseudonyms[features.party.id], pseudonyms[other.party.id]
    header = ["Pseudonym", "What Became True"]
    assert table == [header, [own, "yes"], [of_other, "yes"], [own, "yes"]]
    assert tryton.get("terna.pseudonym").parties([own]) == {own: features.party}


def test_outcome_has_the_pseudonym_that_was_made_last(
    tryton: Pool, endpoint: Any, customer: Make, note: Make, secrets: Path
) -> None:
    features, file = customer(), secrets / keys.PSEUDONYM
    noted, before = note(features), file.read_bytes()
    former = noted.pseudonym
    file.write_text("another")
    try:
        new = tryton.get("terna.pseudonym").of([features.party], endpoint)[features.party.id]
    finally:
        file.write_bytes(before)

    assert new != former
    assert tryton.get("terna.outcome")(noted.id).pseudonym == new


def test_export_without_a_header_has_the_same_rows(
    tryton: Pool, customer: Make, note: Make
) -> None:
    outcomes, noted = tryton.get("terna.outcome"), [note(customer())]
    names = ["values", "party/name", "label"]

    _, *rows = outcomes.export_data(noted, names, header=True)

    assert outcomes.export_data(noted, names) == rows == [[*rows[0][:4], "Ada", "yes"]]


def test_export_of_a_customer_without_features_has_empty_columns(
    tryton: Pool, customer: Make, note: Make
) -> None:
    noted = [note(customer()), note(customer())]
    tryton.get("terna.outcome").write([noted[1]], {"values": None})

    table = tryton.get("terna.outcome").export_data(noted, ["values", "label"])

    assert table[1] == [None, None, None, None, "yes"]


def test_export_of_fields_of_several_lines_keeps_its_columns(
    tryton: Pool, customer: Make, note: Make
) -> None:
    features = customer()
    noted = [note(features), note(features, "no")]

    table = tryton.get("terna.outcome").export_data(noted, ["party/outcomes/label", "values"])

    assert {len(row) for row in table} == {1 + len(VALUES)}
    assert len(table) == 4


def test_export_for_a_clerk_has_no_features(tryton: Pool, customer: Make, note: Make) -> None:
    noted = [note(customer())]
    export = tryton.get("terna.outcome").export_data

    with being("clerk"):
        assert export(noted, ["label"]) == [["yes"]]
        with pytest.raises(AccessError, match="Features"):
            export(noted, ["label", "values"])


def _csv(table: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(table)
    return text.getvalue()

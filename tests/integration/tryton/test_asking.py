"""Labels on the customer: asked of a real serving server, kept while it is away."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from trytond.pool import Pool
from trytond.transaction import Transaction

from terna.erp.tryton import asking
from terna.erp.tryton.asking import LONGEST_PAUSE, Question, Refusal
from terna.erp.tryton.customer import now
from terna.erp.tryton.server2 import Answer
from tests.integration.tryton.conftest import NAME, VALUES, Server2, run_tasks

Customer = Callable[..., Any]

TOO_LARGE = 1e39
"""More than float32 holds: only the model knows that it does not take it."""


@pytest.fixture
def features(tryton: Pool) -> Any:
    return tryton.get("terna.customer.features")


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Nothing answers any more where server 2 was."""

    def go() -> None:
        monkeypatch.setenv("TERNA_ERP_ENDPOINT", "https://localhost:1/invocations")

    return go


def set_back(features: Any, record: Any, **columns: Any) -> None:
    """Change columns that nobody can write through Tryton's forms."""
    table = features.__table__()
    names = [getattr(table, name) for name in columns]
    cursor = Transaction().connection.cursor()
    cursor.execute(*table.update(names, [*columns.values()], where=table.id == record.id))
    for cache in Transaction().cache.values():
        cache.clear()


def read(features: Any, record: Any) -> Any:
    return features(record.id)


def test_button_shows_the_models_own_label(
    features: Any, customer: Customer, asks_server_2: Server2
) -> None:
    made = customer()
    features.ask_label([made])
    label = read(features, made)
    assert [label.label] == asks_server_2.labels(VALUES)
    assert [label.probability] == asks_server_2.probabilities(VALUES)
    assert label.word == {"no": "Stays", "yes": "Leaves"}[label.label]
    assert (label.version, label.age, label.why, label.waiting) == (1, 0, None, False)
    assert [(each.label, each.version) for each in label.history] == [(label.label, 1)]


def test_each_answer_has_a_record(features: Any, customer: Customer) -> None:
    made = customer()
    features.ask_label([made])
    features.ask_label([made])
    assert [each.question for each in read(features, made).history] == [2, 1]


def test_form_opens_with_the_last_label_while_server_2_is_away(
    features: Any, customer: Customer, away: Callable[[], None], endpoint: Any
) -> None:
    made = customer()
    features.ask_label([made])
    before = read(features, made).label
    set_back(features, made, labelled_at=now() - dt.timedelta(days=3))
    away()
    features.ask_label([made])
    label = read(features, made)
    assert (label.label, label.age, label.why, label.waiting) == (before, 3, "unreachable", True)
    assert endpoint.__class__(endpoint.id).is_left_alone


def test_queue_asks_again_when_server_2_is_back(
    features: Any, customer: Customer, monkeypatch: pytest.MonkeyPatch, endpoint: Any
) -> None:
    made = customer()
    with monkeypatch.context() as patch:
        patch.setenv("TERNA_ERP_ENDPOINT", "https://localhost:1/invocations")
        features.ask_label([made])
    features.queue_due_labels()
    assert run_tasks() == 0  # it is left alone for a while
    endpoint.write([endpoint], {"next_attempt": now() - dt.timedelta(seconds=1)})
    features.queue_due_labels()
    assert run_tasks() == 1
    assert read(features, made).label
    assert (endpoint.attempts, endpoint.next_attempt) == (0, None)


def test_pauses_get_longer_up_to_a_limit(endpoint: Any) -> None:
    pauses = []
    for _ in range(12):
        endpoint.note_silence()
        pauses.append(round((endpoint.next_attempt - now()).total_seconds() / 10) * 10)
    assert pauses[:3] == [30, 60, 120]
    assert pauses[-1] == LONGEST_PAUSE.total_seconds()


def test_value_that_the_model_refuses_is_told_beside_its_field(
    features: Any, customer: Customer
) -> None:
    made = [customer(), customer(minutes=TOO_LARGE), customer()]
    features.ask_label(made)
    first, refused, last = (read(features, each) for each in made)
    assert first.label
    assert last.label
    assert (refused.label, refused.why) == (None, "refused")
    assert refused.messages == "Minutes: the model does not take this value."


def test_value_that_the_model_needs_is_told_beside_its_field(
    features: Any, customer: Customer
) -> None:
    made = customer(calls=None, vip=None, minutes=None)
    features.ask_label([made])
    assert read(features, made).messages.splitlines() == [
        "Calls: the model needs a value.",
        "Vip: the model needs a value.",
    ]


def test_corrected_value_is_refused_no_more(features: Any, customer: Customer) -> None:
    made = customer(minutes=TOO_LARGE)
    features.ask_label([made])
    features.write([made], {"values": VALUES})
    features.queue_due_labels()
    run_tasks()
    label = read(features, made)
    assert label.label
    assert not label.messages


def test_scheduled_task_asks_for_what_changed_or_is_old(features: Any, customer: Customer) -> None:
    made = [customer() for _ in range(3)]
    features.queue_due_labels()
    assert run_tasks() == 1
    unchanged, changed, old = (read(features, each) for each in made)
    features.write([changed], {"values": VALUES | {"calls": 8}})
    set_back(features, old, asked_at=now() - dt.timedelta(days=31))
    features.queue_due_labels()
    run_tasks()
    assert [read(features, each).question for each in (unchanged, changed, old)] == [1, 2, 2]


def test_scheduled_task_asks_in_batches(
    features: Any, customer: Customer, monkeypatch: pytest.MonkeyPatch, endpoint: Any
) -> None:
    monkeypatch.setattr(asking, "BATCH", 2)
    made = [customer() for _ in range(5)]
    features.queue_due_labels()
    waiting = endpoint.__class__(endpoint.id)
    assert (waiting.customers, waiting.waiting, waiting.progress) == (5, 5, 0)
    assert run_tasks() == 3
    assert all(read(features, each).label for each in made)
    done = endpoint.__class__(endpoint.id)
    assert (done.waiting, done.progress) == (0, 1)


def test_scheduled_task_is_one_of_trytons(tryton: Pool) -> None:
    (cron,) = tryton.get("ir.cron").search(
        [("method", "=", "terna.customer.features|queue_due_labels")]
    )
    assert cron.active


def test_what_a_dead_task_left_is_asked_once_more(features: Any, customer: Customer) -> None:
    made = customer()
    features.queue_due_labels()
    Transaction().tasks.clear()  # its process is killed
    features.queue_due_labels()
    assert run_tasks() == 0
    set_back(features, made, queued_until=now() - dt.timedelta(seconds=1))
    features.queue_due_labels()
    assert run_tasks() == 1
    assert len(read(features, made).history) == 1


def test_two_tasks_with_one_question_leave_one_answer(
    features: Any, customer: Customer, endpoint: Any
) -> None:
    made = customer()
    features.queue_due_labels()
    run_tasks()
    late = (Question(made.id, made.party.id, 1, VALUES), Answer("late", None, NAME, 1))
    features._store(endpoint, [late])
    label = read(features, made)
    assert label.label != "late"
    assert len(label.history) == 1


def test_database_refuses_a_second_answer(tryton: Pool, features: Any, customer: Customer) -> None:
    made = customer()
    features.ask_label([made])
    (answer,) = read(features, made).history
    again = {
        "features": made.id,
        "question": answer.question,
        "party": made.party.id,
        "endpoint": made.endpoint.id,
        "label": "other",
        "version": 1,
        "labelled_at": now(),
    }
    with pytest.raises(Exception, match="A question has one answer"):
        tryton.get("terna.label").create([again])


def test_row_on_which_the_model_fails_does_not_hold_up_the_others(
    customer: Customer, monkeypatch: pytest.MonkeyPatch, endpoint: Any
) -> None:
    """Halves what is asked until the row is found: nothing of the message names it."""
    made = [customer(calls=number) for number in range(5)]
    ask = asking.server2.ask

    def fail(rows: list[dict[str, Any]], *more: Any) -> list[Answer]:
        if any(row["calls"] == 3 for row in rows):
            raise asking.RequestError("The model failed on these rows.")
        return ask(rows, *more)

    monkeypatch.setattr(asking.server2, "ask", fail)
    questions = [Question(each.id, each.party.id, 1, dict(each.values)) for each in made]
    found = {question.id: answer for question, answer in endpoint.put(questions)}
    assert isinstance(found[made[3].id], Refusal)
    assert sum(isinstance(answer, Answer) for answer in found.values()) == 4


def test_another_model_on_server_2_gives_no_label(
    features: Any, customer: Customer, endpoint: Any
) -> None:
    made = customer()
    endpoint.write([endpoint], {"name": "diabetes"})
    features.ask_label([made])
    assert (read(features, made).label, read(features, made).why) == (None, "other_model")


def test_refused_key_is_why_there_is_no_label(
    features: Any, customer: Customer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    made = customer()
    (tmp_path / "key").write_text("not-the-key")
    monkeypatch.setenv("TERNA_ERP_API_KEY_FILE", str(tmp_path / "key"))
    features.ask_label([made])
    assert read(features, made).why == "not_allowed"


def test_missing_key_is_why_there_is_no_label(
    features: Any, customer: Customer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    made = customer()
    monkeypatch.setenv("TERNA_ERP_API_KEY_FILE", str(tmp_path / "none"))
    features.ask_label([made])
    assert read(features, made).why == "not_configured"


def test_wizard_asks_for_the_selected_parties(
    tryton: Pool, features: Any, customer: Customer
) -> None:
    chosen, other = customer(), customer()
    wizard = tryton.get("terna.ask", type="wizard")
    session, _, _ = wizard.create()
    context = {"active_model": "party.party", "active_ids": [chosen.party.id]}
    with Transaction().set_context(**context, active_id=chosen.party.id):
        wizard.execute(session, {"start": {"endpoint": None}}, "ask")
    assert run_tasks() == 1
    assert read(features, chosen).label
    assert read(features, other).label is None


def test_labels_are_filtered_and_sorted_by_label_and_age(features: Any, customer: Customer) -> None:
    made = [customer(minutes=minutes) for minutes in (10.0, 300.0, 20.0)]
    features.ask_label(made)
    for days, each in enumerate(made):
        set_back(features, each, labelled_at=now() - dt.timedelta(days=days, minutes=1))
    words = {each.id: read(features, each).word for each in made}
    assert set(words.values()) == {"Stays", "Leaves"}
    leaving = features.search([("word", "=", "yes")])
    assert {each.id for each in leaving} == {id_ for id_, word in words.items() if word == "Leaves"}
    by_age = features.search([("age", ">=", 1)], order=[("age", "DESC")])
    assert [each.age for each in by_age] == [2, 1]
    assert [each.age for each in features.search([("age", "=", 1)])] == [1]
    by_label = features.search([("id", "in", [*words])], order=[("word", "ASC")])
    assert [each.label for each in by_label] == sorted(each.label for each in by_label)


def test_new_version_is_seen_without_a_restart(
    features: Any, customer: Customer, asks_server_2: Server2, endpoint: Any
) -> None:
    made = customer()
    features.ask_label([made])
    asks_server_2.promote(2)
    features.ask_label([made])
    asks_server_2.promote(1)  # which the other tests ask
    assert read(features, made).version == 2
    assert endpoint.__class__(endpoint.id).version == 2
    assert [each.version for each in read(features, made).history] == [2, 1]

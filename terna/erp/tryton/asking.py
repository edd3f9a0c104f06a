"""Who asks for labels, and when: a button, a wizard, and a scheduled task by the queue.

A question is first noted in the database (`waiting`), then answered by a task of the queue. A task
that dies leaves its customers waiting, and the scheduled task queues them again; a question has one
record of an answer at most. So no label is lost, and none is doubled.
"""

import datetime as dt
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from sql import Column, Literal, Null
from sql.functions import CurrentTimestamp
from trytond import backend
from trytond.exceptions import UserError
from trytond.model import ModelView, dualmethod, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.tools import grouped_slice, reduce_ids
from trytond.transaction import Transaction, without_check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard

from terna.contracts.refusals import is_missing, read_cell
from terna.erp.schema import Schema
from terna.erp.tryton import server2
from terna.erp.tryton.customer import now
from terna.erp.tryton.identity import SYSTEM
from terna.erp.tryton.server2 import Answer
from terna.errors import RequestError, ServingRefused, SettingsError, TernaError

BATCH = 1000
"""Customers of one request."""

LOST_AFTER = dt.timedelta(minutes=10)
"""A task that has not answered by then has died: its questions are queued again."""

FIRST_PAUSE = dt.timedelta(seconds=30)
LONGEST_PAUSE = dt.timedelta(hours=1)
"""How long server 2 is left alone when it does not answer; doubled each time, up to the longest."""

logger = logging.getLogger(__name__)


class NoAnswer(Exception):
    """Nobody of a batch gets a label now; `why` is one of the reasons of `customer.WHY`."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Question:
    """A customer whose label is waited for."""

    id: int
    party: int
    number: int
    values: dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """Why a customer gets no label: what is wrong with each value, or that the model fails."""

    values: dict[str, str]

    @property
    def why(self) -> str:
        """Return the reason of `customer.WHY`."""
        return "refused" if self.values else "failed"


class Endpoint(metaclass=PoolMeta):
    """Asks server 2, and leaves it alone for a while when it does not answer."""

    __name__ = "terna.endpoint"

    @property
    def is_left_alone(self) -> bool:
        """Return whether it is too early to ask again."""
        return bool(self.next_attempt and self.next_attempt > now())

    @without_check_access
    def put(self, questions: Sequence[Question]) -> Iterator[tuple[Question, Answer | Refusal]]:
        """Yield what becomes of each question.

        Raises:
            NoAnswer: nobody gets a label now.
        """
        schema = self.described()
        if schema is None:
            raise NoAnswer("not_configured")
        kinds = {feature.name: feature for feature in self.features}
        fitting = []
        for question in questions:
            refused = dict(_refused(schema, kinds, question.values))
            if refused:
                yield question, Refusal(refused)
            else:
                fitting.append(question)
        if fitting:
            yield from self._ask(schema, fitting)

    def _ask(
        self, schema: Schema, questions: Sequence[Question]
    ) -> Iterator[tuple[Question, Answer | Refusal]]:
        names = [column.name for column in schema.columns]
        rows = [{name: question.values.get(name) for name in names} for question in questions]
        try:
            found = server2.ask(rows, self._pseudonyms(questions), schema.probabilities)
        except RequestError as error:
            yield from self._without_refused(schema, questions, str(error))
            return
        except TernaError as error:
            logger.warning("%s", error)
            raise NoAnswer(_why(error)) from error
        if any(answer.model != self.name for answer in found):
            raise NoAnswer("other_model")
        yield from zip(questions, found, strict=True)

    def _pseudonyms(self, questions: Sequence[Question]) -> list[str]:
        """Return what stands for each question's customer on server 2."""
        parties = [question.party for question in questions]
        try:
            pseudonyms = Pool().get("terna.pseudonym").of(parties, self)
        except UserError as error:  # the key is missing
            raise SettingsError(error.message) from error
        return [pseudonyms[party] for party in parties]

    def _without_refused(
        self, schema: Schema, questions: Sequence[Question], message: str
    ) -> Iterator[tuple[Question, Answer | Refusal]]:
        """Yield what becomes of questions of which one is refused: find it, and ask the others."""
        if is_missing(message):
            raise NoAnswer("other_schema")
        cell = read_cell(message)
        if cell and cell.row < len(questions):
            yield questions[cell.row], Refusal({cell.column: "not_taken"})
            parts = [[*questions[: cell.row], *questions[cell.row + 1 :]]]
        elif len(questions) == 1:
            yield questions[0], Refusal({})
            return
        else:
            middle = len(questions) // 2
            parts = [[*questions[:middle]], [*questions[middle:]]]
        for part in filter(None, parts):
            yield from self._ask(schema, part)

    @without_check_access
    def note_answer(self, version: int | None) -> None:
        """Note that server 2 answers, and by which version; None if it refused every value."""
        seen = {"attempts": 0, "next_attempt": None, "version": version or self.version}
        if any(getattr(self, name) != value for name, value in seen.items()):
            self.write([self], seen)

    @without_check_access
    def note_silence(self) -> None:
        """Note that server 2 does not answer, and when it is asked again."""
        pause = min(FIRST_PAUSE * 2 ** min(self.attempts, 10), LONGEST_PAUSE)
        self.write([self], {"attempts": self.attempts + 1, "next_attempt": now() + pause})


class CustomerFeatures(metaclass=PoolMeta):
    """Asks for labels."""

    __name__ = "terna.customer.features"

    @classmethod
    def __setup__(cls) -> None:
        """Add the button."""
        super().__setup__()
        cls._buttons["ask_label"] = {"readonly": Eval("id", -1) < 0, "depends": ["id"]}

    @classmethod
    @ModelView.button
    def ask_label(cls, records: list[Self]) -> None:
        """Ask for the labels of these customers now, or by the queue while server 2 is away."""
        table = cls.__table__()
        cls._note(table, reduce_ids(table.id, [record.id for record in records]))
        cls.answer(records)

    @classmethod
    def queue_labels(cls, records: Iterable[Self]) -> None:
        """Have the queue ask for the labels of these customers."""
        for some in grouped_slice(list(records), BATCH):
            table = cls.__table__()
            which = reduce_ids(table.id, [record.id for record in some])
            cls._note(table, which)
            cls._queue(table, which)

    @classmethod
    def queue_due_labels(cls) -> None:
        """Have the queue ask for all whose features changed, or whose label is too old.

        Nobody asks for parties that are not active: they were replaced, erased, or are gone. What
        was asked and is not answered is queued again: its task has died, or server 2 was away.
        """
        party = Pool().get("party.party").__table__()
        is_active = party.select(party.id, where=party.active == Literal(True))
        Endpoint = Pool().get("terna.endpoint")  # noqa: N806 - Tryton's way to name a model
        table = cls.__table__()
        for endpoint in Endpoint.search([("schema", "!=", None)]):
            oldest = now() - dt.timedelta(days=endpoint.stale_days)
            due = (table.asked_revision == Null) | (table.asked_revision != table.revision)
            due |= table.asked_at < oldest
            due &= table.party.in_(is_active)
            cls._note(table, (table.endpoint == endpoint.id) & due)
            if not endpoint.is_left_alone:
                lost = (table.queued_until == Null) | (table.queued_until < now())
                cls._queue(table, (table.endpoint == endpoint.id) & lost)

    @classmethod
    def _note(cls, table: Any, which: Any) -> None:
        """Note that a label is asked for, where that is not noted yet."""
        columns = [table.waiting, table.question, table.asked_revision, table.asked_at]
        values = [Literal(True), table.question + 1, table.revision, now()]
        _execute(
            table.update(
                [*columns, table.queued_until, table.why],
                [*values, Null, "asked"],
                where=which & (table.waiting == Literal(False)),
            )
        )

    @classmethod
    def _queue(cls, table: Any, which: Any) -> None:
        """Have tasks answer what is asked for."""
        which &= table.waiting == Literal(True)
        cursor = _execute(table.select(table.id, where=which, order_by=table.id))
        ids = [id_ for (id_,) in cursor.fetchall()]
        _execute(table.update([table.queued_until], [now() + LOST_AFTER], where=which))
        for some in grouped_slice(ids, BATCH):
            cls.__queue__.answer(list(some))

    @classmethod
    def answer(cls, records: list[Self]) -> None:
        """Ask server 2 for the labels that are still waited for, and note what it answers."""
        Endpoint = Pool().get("terna.endpoint")  # noqa: N806
        table = cls.__table__()
        columns = [table.endpoint, table.id, table.party, table.question, Column(table, "values")]
        ids = reduce_ids(table.id, [record.id for record in records])
        cursor = _execute(
            table.select(*columns, where=ids & (table.waiting == Literal(True)), order_by=table.id)
        )
        questions: dict[int, list[Question]] = {}
        for endpoint, id_, party, number, values in cursor.fetchall():
            known = json.loads(values or "{}") if isinstance(values, str | None) else values
            questions.setdefault(endpoint, []).append(Question(id_, party, number, known))
        for endpoint, asked in questions.items():
            cls._answer(Endpoint(endpoint), asked)

    @classmethod
    def _answer(cls, endpoint: Any, questions: list[Question]) -> None:
        try:
            if endpoint.is_left_alone:
                raise NoAnswer("unreachable")
            found = list(endpoint.put(questions))
        except NoAnswer as error:
            if not endpoint.is_left_alone:
                endpoint.note_silence()
            cls._keep_waiting(questions, error.why)
            return
        versions = [answer.version for _, answer in found if isinstance(answer, Answer)]
        endpoint.note_answer(max(versions, default=None))
        cls._store(endpoint, found)

    @classmethod
    def _keep_waiting(cls, questions: list[Question], why: str) -> None:
        table = cls.__table__()
        ids = reduce_ids(table.id, [question.id for question in questions])
        _execute(
            table.update(
                [table.queued_until, table.why],
                [Null, why],
                where=ids & (table.waiting == Literal(True)),
            )
        )
        _forget_read()

    @classmethod
    def _store(cls, endpoint: Any, found: list[tuple[Question, Answer | Refusal]]) -> None:
        still = cls._still_waiting([question for question, _ in found])
        at = now()
        labels, refusals = [], []
        for question, answer in found:
            if still.get(question.id) != question.number:
                continue  # another task has answered in the meantime
            if isinstance(answer, Answer):
                labels.append((question, answer))
            else:
                refusals.append((question, answer))
        if labels:
            cls._store_labels(endpoint, labels, at)
        cls._store_refusals(refusals)
        _forget_read()

    @classmethod
    def _still_waiting(cls, questions: list[Question]) -> dict[int, int]:
        """Return the questions' numbers by customer, of those that no other task has answered.

        The update takes the database's lock, so that no other task answers them from here on.
        """
        table = cls.__table__()
        ids = reduce_ids(table.id, [question.id for question in questions])
        which = ids & (table.waiting == Literal(True))
        _execute(table.update([table.queued_until], [Null], where=which))
        return dict(_execute(table.select(table.id, table.question, where=which)).fetchall())

    @classmethod
    def _store_labels(
        cls, endpoint: Any, labels: list[tuple[Question, Answer]], at: dt.datetime
    ) -> None:
        """Add a record for each answer, and show it on its customer."""
        table, label = cls.__table__(), Pool().get("terna.label").__table__()
        ids = reduce_ids(table.id, [question.id for question, _ in labels])
        parties = dict(_execute(table.select(table.id, table.party, where=ids)).fetchall())
        shown = [label.label, label.probability, label.version, label.labelled_at]
        rows = [
            [
                *(answer.label, answer.probability, answer.version, at),
                *(question.id, question.number, parties[question.id], endpoint.id),
                *(Transaction().user, CurrentTimestamp()),
            ]
            for question, answer in labels
        ]
        kept = [label.features, label.question, label.party, label.endpoint]
        _execute(label.insert([*shown, *kept, label.create_uid, label.create_date], rows))
        columns = [table.label, table.probability, table.version, table.labelled_at]
        _execute(
            table.update(
                [*columns, table.waiting, table.why, table.refused],
                [*shown, Literal(False), Null, Null],
                from_=[label],
                where=ids & (label.features == table.id) & (label.question == table.question),
            )
        )

    @classmethod
    def _store_refusals(cls, refusals: list[tuple[Question, Refusal]]) -> None:
        table = cls.__table__()
        for question, refusal in refusals:
            refused = cls.refused.sql_format(refusal.values)
            _execute(
                table.update(
                    [table.waiting, table.why, table.refused],
                    [Literal(False), refusal.why, refused],
                    where=table.id == question.id,
                )
            )


class Cron(metaclass=PoolMeta):
    """Offers the scheduled task, and lets the tasks of one run follow each other on SQLite."""

    __name__ = "ir.cron"

    @classmethod
    def __setup__(cls) -> None:
        """Add what asks for labels."""
        super().__setup__()
        cls.method.selection.append(
            ("terna.customer.features|queue_due_labels", "Ask for Labels That Are Due")
        )

    @dualmethod
    def save(cls, crons: list[Self]) -> None:  # noqa: N805 - both for a class and a record
        """Save scheduled tasks; where a database has one writer, let the next task be it.

        trytond runs each task in a transaction of its own, and saves when it is next called in one
        around all of them. On SQLite that one would be the only writer until the last task ends,
        and each but the first would wait for it in vain.
        """
        super().save(crons)
        transaction = Transaction()
        if backend.name == "sqlite" and transaction.user == SYSTEM:
            transaction.commit()


class AskStart(ModelView):
    "Ask for Labels"

    __name__ = "terna.ask.start"

    endpoint = fields.Many2One(
        "terna.endpoint", "Endpoint", help="Leave it empty to ask all of them."
    )


class Ask(Wizard):
    "Ask for Labels"

    __name__ = "terna.ask"

    start = StateView(
        "terna.ask.start",
        "terna.ask_start_view_form",
        [
            Button("Cancel", "end", "tryton-cancel"),
            Button("Ask", "ask", "tryton-ok", default=True),
        ],
    )
    ask = StateTransition()

    def transition_ask(self) -> str:
        """Have the queue ask for the labels of the selected parties."""
        Features = Pool().get("terna.customer.features")  # noqa: N806
        domain = [("party", "in", [party.id for party in self.records])]
        if self.start.endpoint:
            domain.append(("endpoint", "=", self.start.endpoint.id))
        Features.queue_labels(Features.search(domain))
        return "end"

    def end(self) -> str:
        """Have the client read the records again."""
        return "reload"


def _refused(
    schema: Schema, features: dict[str, Any], values: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield the names of values that the model would not take, and why."""
    for column in schema.columns:
        value = values.get(column.name)
        if value is None:
            if column.required:
                yield column.name, "needs_value"
        elif column.name in features and (why := features[column.name].why_not(value)):
            yield column.name, why


def _why(error: TernaError) -> str:
    if isinstance(error, ServingRefused):
        return "not_allowed"
    return "not_configured" if isinstance(error, SettingsError) else "unreachable"


def _execute(query: Any) -> Any:
    cursor = Transaction().connection.cursor()
    cursor.execute(*query)
    return cursor


def _forget_read() -> None:
    """Forget what this transaction has read: SQL has changed it."""
    for cache in Transaction().cache.values():
        cache.clear()

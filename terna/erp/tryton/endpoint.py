"""An endpoint of server 2, as the ERP knows it: which model labels, and what labels are called."""

import json
from typing import Any, NamedTuple, Self

from sql import Literal, Null
from sql.aggregate import Count
from sql.conditionals import Case
from trytond.i18n import gettext
from trytond.model import DeactivableMixin, ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import ValidationError
from trytond.pool import Pool
from trytond.transaction import Transaction

from terna.erp.schema import Schema

COLOURS = ("", "muted", "success", "warning", "danger")
"""What Tryton's clients colour a cell by, as the attribute `visual` of a view names it."""


class Word(NamedTuple):
    """What a label is called, and its colour."""

    word: str
    colour: str = ""


class Endpoint(DeactivableMixin, ModelSQL, ModelView):
    "Endpoint"

    __name__ = "terna.endpoint"

    name = fields.Char("Name", required=True, help="The registered model's name on server 2.")
    title = fields.Char("Title", required=True, translate=True)
    schema = fields.Text(
        "Schema", readonly=True, help="The model's columns, as JSON, from server 2's /openapi.json."
    )
    version = fields.Integer("Version", readonly=True, help="The version that answered last.")
    labels = fields.Text(
        "Labels",
        translate=True,
        help="A line for each label: label: word: colour."
        " The colour is muted, success, warning or danger, or is left out.",
    )
    stale_days = fields.Integer(
        "Days until Stale",
        required=True,
        domain=[("stale_days", ">", 0)],
        help="A label that is older is asked for again.",
    )
    attempts = fields.Integer("Attempts", readonly=True, help="In vain, since the last answer.")
    next_attempt = fields.DateTime(
        "Next Attempt", readonly=True, help="When server 2, which did not answer, is asked again."
    )
    features = fields.One2Many("terna.feature", "endpoint", "Features")
    customers = fields.Function(fields.Integer("Customers"), "get_progress")
    waiting = fields.Function(
        fields.Integer("Waiting", help="Customers whose label is asked for and not there yet."),
        "get_progress",
    )
    refused = fields.Function(
        fields.Integer("Refused", help="Customers of whom the model refuses a value."),
        "get_progress",
    )
    progress = fields.Function(
        fields.Float("Progress", digits=(1, 2), help="Customers who wait for no label, of all."),
        "get_progress",
    )

    @classmethod
    def __setup__(cls) -> None:
        """Hold that a model's name is there once."""
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints += [
            ("name_unique", Unique(table, table.name), "terna.msg_endpoint_unique")
        ]

    @staticmethod
    def default_attempts() -> int:
        """Return that nothing was in vain."""
        return 0

    @staticmethod
    def default_stale_days() -> int:
        """Return the days after which a label is asked for again."""
        return 30

    def get_rec_name(self, name: str) -> str:
        """Return what people call the endpoint."""
        return self.title

    @classmethod
    def search_rec_name(cls, name: str, clause: Any) -> Any:
        """Find it by its title or its name."""
        return ["OR", ("title", *clause[1:]), ("name", *clause[1:])]

    @classmethod
    def get_progress(cls, endpoints: list[Self], names: list[str]) -> dict[str, dict[int, Any]]:
        """Return, by name and id, how many customers there are, wait, and are refused."""
        table = Pool().get("terna.customer.features").__table__()
        cursor = Transaction().connection.cursor()
        waits = Count(Case((table.waiting == Literal(True), table.id)))
        refused = Count(Case((table.why == "refused", table.id)))
        found = table.endpoint.in_([endpoint.id for endpoint in endpoints])
        query = table.select(
            table.endpoint, Count(table.id), waits, refused, where=found, group_by=table.endpoint
        )
        cursor.execute(*query)
        counts = {id_: numbers for id_, *numbers in cursor.fetchall()}
        result: dict[str, dict[int, Any]] = {name: {} for name in names}
        for endpoint in endpoints:
            customers, waiting, refusals = counts.get(endpoint.id, (0, 0, 0))
            values = {
                "customers": customers,
                "waiting": waiting,
                "refused": refusals,
                "progress": 1 - waiting / customers if customers else None,
            }
            for name in names:
                result[name][endpoint.id] = values[name]
        return result

    @classmethod
    def validate_fields(cls, endpoints: list[Self], field_names: set[str]) -> None:
        """Refuse lines of labels that are none.

        Raises:
            ValidationError: a line without a word, or with another colour.
        """
        super().validate_fields(endpoints, field_names)
        for endpoint in endpoints if not field_names or "labels" in field_names else ():
            for line in filter(str.strip, (endpoint.labels or "").splitlines()):
                parts = [part.strip() for part in line.split(":")]
                if len(parts) not in (2, 3) or not all(parts[:2]) or parts[2:] == [""]:
                    raise ValidationError(gettext("terna.msg_label_line", line=line))
                if len(parts) == 3 and parts[2] not in COLOURS:
                    raise ValidationError(gettext("terna.msg_label_line", line=line))

    @classmethod
    def only(cls) -> int | None:
        """Return the endpoint that people need not choose, as there is no other; else None."""
        found = cls.search([], limit=2)
        return found[0].id if len(found) == 1 else None

    def words(self) -> dict[str, Word]:
        """Return what each label is called, and its colour, in the lines' order."""
        lines = [line.split(":") for line in (self.labels or "").splitlines() if line.strip()]
        return {label.strip(): Word(*map(str.strip, word)) for label, *word in lines}

    def known_labels(self) -> dict[str, Word]:
        """Return the labels that have words; without any, those that server 2 has answered."""
        if words := self.words():
            return words
        table = Pool().get("terna.customer.features").__table__()
        cursor = Transaction().connection.cursor()
        answered = (table.endpoint == self.id) & (table.label != Null)
        cursor.execute(*table.select(table.label, where=answered, group_by=table.label))
        return {label: Word(label) for (label,) in sorted(cursor.fetchall())}

    def described(self) -> Schema | None:
        """Return the model's schema; None until it is read from server 2."""
        return Schema.from_json(json.loads(self.schema)) if self.schema else None

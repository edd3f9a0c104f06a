"""Outcomes: which label became true, kept until server 2 takes them."""

import datetime as dt
from typing import Any, Self

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, fields
from trytond.model.exceptions import ValidationError
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction, without_check_access

from terna.erp.tryton.label import LabelMixin

_UNTIL_SENT = {"readonly": Eval("state") != "queued"}


class Outcome(LabelMixin, ModelSQL, ModelView):
    "Outcome"

    __name__ = "terna.outcome"

    party = fields.Many2One(
        "party.party", "Party", required=True, ondelete="CASCADE", states=_UNTIL_SENT
    )
    endpoint = fields.Many2One(
        "terna.endpoint", "Endpoint", required=True, ondelete="CASCADE", states=_UNTIL_SENT
    )
    label = fields.Selection(
        "selection_label", "What Became True", required=True, states=_UNTIL_SENT
    )
    date = fields.Date("Date", required=True, states=_UNTIL_SENT)
    values = fields.Dict(
        "terna.feature",
        "Features",
        readonly=True,
        domain=[("endpoint", "=", Eval("endpoint", -1))],
        states={"invisible": Eval("id", -1) < 0},
        help="Of the customer, as they were when this was noted.",
    )
    pseudonym = fields.Function(
        fields.Char("Pseudonym", help="What stands for the customer outside of the ERP."),
        "get_pseudonyms",
    )
    noted_by = fields.Many2One("res.user", "Noted by", readonly=True, required=True)
    state = fields.Selection(
        [("queued", "Queued"), ("sent", "Sent")], "State", readonly=True, required=True, sort=False
    )

    @classmethod
    def __setup__(cls) -> None:
        """Show the newest first."""
        super().__setup__()
        table = cls.__table__()
        cls._sql_indexes.add(Index(table, (table.party, Index.Equality())))
        cls._order = [("date", "DESC"), ("id", "DESC")]

    @staticmethod
    def default_endpoint() -> int | None:
        """Return the endpoint where there is one only."""
        only: int | None = Pool().get("terna.endpoint").only()
        return only

    @staticmethod
    def default_date() -> dt.date:
        """Return today."""
        today: dt.date = Pool().get("ir.date").today()
        return today

    @staticmethod
    def default_noted_by() -> Any:
        """Return who is logged in."""
        return Transaction().user

    @staticmethod
    def default_state() -> str:
        """Return that it is not sent yet."""
        return "queued"

    @classmethod
    def create(cls, vlist: list[dict[str, Any]]) -> list[Self]:
        """Note outcomes, each with the customer's features as they are, and a pseudonym."""
        Features = Pool().get("terna.customer.features")  # noqa: N806
        with without_check_access():
            found = Features.search(
                [
                    ("party", "in", [values.get("party") for values in vlist]),
                    ("endpoint", "in", [values.get("endpoint") for values in vlist]),
                ]
            )
        known = {(each.party.id, each.endpoint.id): dict(each.values) for each in found}
        outcomes: list[Self] = super().create(
            [
                {"values": known.get((values.get("party"), values.get("endpoint")))} | values
                for values in vlist
            ]
        )
        for endpoint in {outcome.endpoint for outcome in outcomes}:
            parties = [outcome.party for outcome in outcomes if outcome.endpoint == endpoint]
            Pool().get("terna.pseudonym").of(parties, endpoint)
        return outcomes

    @classmethod
    def validate_fields(cls, outcomes: list[Self], field_names: set[str]) -> None:
        """Refuse what is no label of the endpoint.

        Raises:
            ValidationError: the first of them.
        """
        super().validate_fields(outcomes, field_names)
        if field_names and not field_names & {"label", "endpoint"}:
            return
        labels = {each: each.known_labels() for each in {each.endpoint for each in outcomes}}
        for outcome in outcomes:
            if outcome.label not in labels[outcome.endpoint]:
                endpoint = outcome.endpoint.rec_name
                raise ValidationError(gettext("terna.msg_outcome_label", endpoint=endpoint))

    @classmethod
    def get_pseudonyms(cls, outcomes: list[Self], name: str) -> dict[int, str | None]:
        """Return by id the pseudonym that was made last for each customer at the endpoint."""
        newest = Pool().get("terna.pseudonym").newest(outcome.party for outcome in outcomes)
        return {each.id: newest.get((each.party.id, each.endpoint.id)) for each in outcomes}

    @classmethod
    def export_data(
        cls, records: list[Self], fields_names: list[str], header: bool = False
    ) -> list[list[Any]]:
        """Return a table of outcomes, with a column for each feature where they are asked for."""
        if "values" not in fields_names:
            return super().export_data(records, fields_names, header=header)
        at = fields_names.index("values")
        table = super().export_data(records, fields_names, header=header)  # checks who may
        rows = table[1:] if header else table
        names = list(dict.fromkeys(name for row in rows for name in row[at] or ()))
        features = [[(row[at] or {}).get(name) for name in names] for row in rows]
        if header:
            features.insert(0, names)
        return [
            [*row[:at], *more, *row[at + 1 :]] for row, more in zip(table, features, strict=True)
        ]

    @fields.depends("endpoint", "label")
    def selection_label(self) -> list[tuple[str | None, str]]:
        """Return the endpoint's labels and their words."""
        labels = self.endpoint.known_labels() if self.endpoint else {}
        known = {label: word.word for label, word in labels.items()}
        if self.label:
            known.setdefault(self.label, self.label)
        return [(None, ""), *known.items()]

    def get_rec_name(self, name: str) -> str:
        """Return what became true."""
        return self.word

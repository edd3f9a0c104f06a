"""Outcomes: which label became true, kept until server 2 takes them."""

import datetime as dt
from typing import Any

from trytond.model import Index, ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction

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

    @fields.depends("endpoint", "label")
    def selection_label(self) -> list[tuple[str | None, str]]:
        """Return the endpoint's labels and their words."""
        words = self.endpoint.words() if self.endpoint else {}
        known = {label: word.word for label, word in words.items()}
        if self.label:
            known.setdefault(self.label, self.label)
        return [(None, ""), *known.items()]

    def get_rec_name(self, name: str) -> str:
        """Return what became true."""
        return self.word

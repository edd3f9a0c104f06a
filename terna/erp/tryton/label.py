"""The history of labels: one record for each answer of server 2."""

from typing import Any

from trytond.model import Index, ModelSQL, ModelView, Unique, fields
from trytond.pyson import Eval

from terna.erp.tryton.endpoint import Word


class LabelMixin:
    """What a label is shown by: its word and its colour, as the endpoint has them."""

    __slots__ = ()

    word = fields.Function(fields.Char("Label"), "get_words", searcher="search_word")
    colour = fields.Function(fields.Char("Colour"), "get_words")
    icon = fields.Function(fields.Char("Icon"), "get_words")

    @classmethod
    def get_words(cls, records: list[Any], names: list[str]) -> dict[str, dict[int, Any]]:
        """Return, by name and id, the word, colour and icon of each record's label."""
        words = {record.endpoint: record.endpoint.words() for record in records}
        found = {
            record.id: words[record.endpoint].get(record.label, Word(record.label or ""))
            for record in records
        }
        values = {
            "word": {id_: word.word for id_, word in found.items()},
            "colour": {id_: word.colour for id_, word in found.items()},
            "icon": {id_: word.colour and f"terna-{word.colour}" for id_, word in found.items()},
        }
        return {name: values[name] for name in names}

    @classmethod
    def view_attributes(cls) -> list[tuple[Any, ...]]:
        """Show the word in its colour in lists."""
        coloured = ("/tree/field[@name='word']", "visual", Eval("colour", ""), ["colour"])
        return [*super().view_attributes(), coloured]

    @classmethod
    def search_word(cls, name: str, clause: Any) -> Any:
        """Find labels by the label itself."""
        return [("label", *clause[1:])]

    @staticmethod
    def order_word(tables: Any) -> list[Any]:
        """Sort by the label itself."""
        table, _ = tables[None]
        return [table.label]


class Label(LabelMixin, ModelSQL, ModelView):
    "Label"

    __name__ = "terna.label"

    features = fields.Many2One(
        "terna.customer.features", "Customer's Features", required=True, ondelete="CASCADE"
    )
    question = fields.Integer(
        "Question",
        required=True,
        help="Which of the times it is that this customer's label is asked.",
    )
    party = fields.Many2One("party.party", "Party", required=True, ondelete="CASCADE")
    endpoint = fields.Many2One("terna.endpoint", "Endpoint", required=True, ondelete="CASCADE")
    label = fields.Char("Label on Server 2", required=True)
    probability = fields.Float("Probability", digits=(1, 4))
    place = fields.Function(
        fields.Float("Place", digits=(16, 2), help="Of the label, among those of the endpoint."),
        "get_place",
    )
    version = fields.Integer("Version", required=True)
    labelled_at = fields.DateTime("Time", required=True)

    @classmethod
    def __setup__(cls) -> None:
        """Hold that a question has one answer, and show the newest first."""
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints += [
            (
                "question_unique",
                Unique(table, table.features, table.question),
                "terna.msg_label_unique",
            )
        ]
        cls._sql_indexes.add(Index(table, (table.party, Index.Equality())))
        cls._order = [("labelled_at", "DESC"), ("id", "DESC")]

    def get_rec_name(self, name: str) -> str:
        """Return the label's word."""
        return self.word

    def get_place(self, name: str) -> float | None:
        """Return what graphs draw of a label: its number, or its place among the labels."""
        try:
            return float(self.label)
        except ValueError:
            labels = list(self.endpoint.words())
            return float(labels.index(self.label)) if self.label in labels else None

    @classmethod
    def search_rec_name(cls, name: str, clause: Any) -> Any:
        """Find it by the label."""
        return [("label", *clause[1:])]

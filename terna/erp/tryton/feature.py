"""A feature: one column of a model's schema, as a typed field of the ERP."""

import json
from typing import Self

from trytond.i18n import gettext
from trytond.model import (
    DeactivableMixin,
    DictSchemaMixin,
    ModelSQL,
    ModelView,
    Unique,
    fields,
    sequence_ordered,
)
from trytond.model.exceptions import ValidationError

from terna.contracts.identifiers import is_address, is_contact, is_free_text, is_identifier

TYPES = ("boolean", "integer", "float", "selection")
"""The types of a feature. Text is one of a list: nobody's name or prose can be typed into it."""

MAX_CHOICES = 500
"""A longer list names customers rather than groups of them."""


class Feature(sequence_ordered(), DeactivableMixin, DictSchemaMixin, ModelSQL, ModelView):
    "Feature"

    __name__ = "terna.feature"

    endpoint = fields.Many2One("terna.endpoint", "Endpoint", required=True, ondelete="CASCADE")
    required = fields.Boolean("Required", help="The model gives no label without it.")

    @classmethod
    def __setup__(cls) -> None:
        """Hold that an endpoint has a feature once, and offer the types that may leave."""
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints += [
            (
                "endpoint_name_unique",
                Unique(table, table.endpoint, table.name),
                "terna.msg_feature_unique",
            )
        ]
        cls.type_.selection = [pair for pair in cls.type_.selection if pair[0] in TYPES]
        cls._order.insert(0, ("endpoint", "ASC"))

    @staticmethod
    def default_digits() -> int:
        """Return how many digits of a number are kept after the point."""
        return 6

    @staticmethod
    def default_selection_sorted() -> bool:
        """Keep the order in which values are listed."""
        return False

    @classmethod
    def validate_fields(cls, features: list[Self], field_names: set[str]) -> None:
        """Refuse what names a customer.

        Raises:
            ValidationError: a name, an address, an identifier or free text.
        """
        super().validate_fields(features, field_names)
        for feature in features:
            feature._check()

    def _check(self) -> None:
        for rule in (is_identifier, is_address, is_free_text):
            if rule(self.name):
                raise ValidationError(gettext(f"terna.msg_{rule.__name__}", feature=self.name))
        if self.type_ != "selection":
            return
        choices = self.choices()
        if len(choices) > MAX_CHOICES:
            raise ValidationError(
                gettext("terna.msg_too_many_choices", feature=self.name, most=MAX_CHOICES)
            )
        if any(is_contact(text) for pair in choices.items() for text in pair):
            raise ValidationError(gettext("terna.msg_contact_choice", feature=self.name))

    def choices(self) -> dict[str, str]:
        """Return the values of a selection, and what each is called."""
        return dict(json.loads(self.get_selection_json("selection_json")))

    def why_not(self, value: object) -> str:
        """Return the message, by its XML id, of why a value is none of this feature; else ""."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if self.type_ == "boolean":
            return "" if isinstance(value, bool) else "must_be_boolean"
        if self.type_ == "integer":
            return "" if isinstance(value, int) and is_number else "must_be_integer"
        if self.type_ == "float":
            return "" if is_number else "must_be_number"
        return "" if value in self.choices() else "must_be_choice"

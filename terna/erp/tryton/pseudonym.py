"""Pseudonyms: what stands for a customer outside of the ERP, beside the features of an endpoint.

A pseudonym is an HMAC of party and endpoint, kept with the generation of its key. A new key makes
new pseudonyms from then on; those of the former keys stay in the table, so that what was sent with
them is still joined with its customer.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from trytond.model import Index, ModelSQL, Unique, fields
from trytond.pool import Pool
from trytond.transaction import without_check_access

from terna.erp.tryton import keys


class Pseudonym(ModelSQL):
    "Pseudonym"

    __name__ = "terna.pseudonym"

    party = fields.Many2One("party.party", "Party", required=True, ondelete="CASCADE")
    endpoint = fields.Many2One("terna.endpoint", "Endpoint", required=True, ondelete="CASCADE")
    value = fields.Char("Pseudonym", required=True)
    generation = fields.Char("Generation", required=True, help="Which key has made it.")

    @classmethod
    def __setup__(cls) -> None:
        """Index what is looked up: pseudonyms, and those of a customer."""
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints += [
            ("value_unique", Unique(table, table.value), "terna.msg_pseudonym_unique"),
        ]
        cls._sql_indexes.add(Index(table, (table.party, Index.Equality())))

    @classmethod
    @without_check_access
    def of(cls, parties: Iterable[Any], endpoint: Any) -> dict[int, str]:
        """Return the pseudonym of each party, by its id; they are kept before they are returned.

        Raises:
            UserError: the key is missing.
        """
        key = keys.keys(keys.PSEUDONYM)[0]
        values = {int(party): keys.pseudonym(int(party), endpoint.name, key) for party in parties}
        kept = {each.value for each in cls.search([("value", "in", list(values.values()))])}
        cls.create(
            [
                {
                    "party": party,
                    "endpoint": endpoint.id,
                    "value": value,
                    "generation": keys.generation(key),
                }
                for party, value in values.items()
                if value not in kept
            ]
        )
        return values

    @classmethod
    @without_check_access
    def parties(cls, values: Sequence[str]) -> dict[str, Any]:
        """Return the party of each pseudonym that is known, whichever key has made it."""
        return {each.value: each.party for each in cls.search([("value", "in", list(values))])}


def pseudonym_of(party: Any, endpoint: Any) -> str:
    """Return what stands for a party at an endpoint, and keep it.

    Raises:
        UserError: the key is missing.
    """
    return Pool().get("terna.pseudonym").of([party], endpoint)[int(party)]

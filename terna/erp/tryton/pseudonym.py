"""Pseudonyms: what stands for a customer outside of the ERP, beside the features of an endpoint.

A pseudonym is an HMAC of party and endpoint, kept with the generation of its key. A new key makes
new pseudonyms from then on; those of the former keys stay in the table, so that what was sent with
them is still joined with its customer.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sql import Conflict
from sql.functions import CurrentTimestamp
from trytond.model import Index, ModelSQL, Unique, fields
from trytond.tools import reduce_ids
from trytond.transaction import Transaction, without_check_access

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
    def of(cls, parties: Iterable[Any], endpoint: Any) -> dict[int, str]:
        """Return the pseudonym of each party, by its id; they are kept before they are returned.

        Raises:
            UserError: the key is missing.
        """
        key = keys.keys(keys.PSEUDONYM)[0]
        values = {int(party): keys.pseudonym(int(party), endpoint.name, key) for party in parties}
        cls._keep(values, endpoint, keys.generation(key))
        return values

    @classmethod
    def _keep(cls, values: Mapping[int, str], endpoint: Any, generation: str) -> None:
        """Add the pseudonyms that are not there, by one statement: the ORM takes six times as long.

        Tasks add them in one order, so that none waits for another that waits for it. If another
        has added one meanwhile, Postgres says that a transaction could not be serialized, as which
        Tryton begins the task again.
        """
        table, cursor = cls.__table__(), Transaction().connection.cursor()
        cursor.execute(*table.select(table.value, where=table.value.in_([*values.values()])))
        kept = {value for (value,) in cursor.fetchall()}
        same = [endpoint.id, generation, Transaction().user, CurrentTimestamp()]
        rows = [[id_, value, *same] for id_, value in sorted(values.items()) if value not in kept]
        if rows:
            columns = [table.party, table.value, table.endpoint, table.generation]
            columns += [table.create_uid, table.create_date]
            cursor.execute(*table.insert(columns, rows, on_conflict=Conflict(table)))

    @classmethod
    @without_check_access
    def parties(cls, values: Sequence[str]) -> dict[str, Any]:
        """Return the party of each pseudonym that is known, whichever key has made it."""
        return {each.value: each.party for each in cls.search([("value", "in", list(values))])}

    @classmethod
    def newest(cls, parties: Iterable[Any]) -> dict[tuple[int, int], str]:
        """Return the pseudonym that was made last, by the ids of party and endpoint."""
        table, cursor = cls.__table__(), Transaction().connection.cursor()
        query = table.select(
            *(table.party, table.endpoint, table.value),
            where=reduce_ids(table.party, sorted({int(party) for party in parties})),
            order_by=table.id,
        )
        cursor.execute(*query)
        return {(party, endpoint): value for party, endpoint, value in cursor.fetchall()}

"""Tryton's parties, whose names, addresses, identifiers and contact mechanisms are identities.

National ids are Tryton's identifiers, e-mail addresses and phone numbers its contact mechanisms:
the module adds no field for them, it encrypts those columns and every copy of them.
"""

from typing import Any

from sql import Column, Null
from trytond.model import Index
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction

from terna.erp.tryton import keys
from terna.erp.tryton.identity import Encrypted, Identity, IdentityText, Name, hash_column


class EncryptedColumns:
    """A model with encrypted columns: their index, and what encrypts them again with new keys."""

    __slots__ = ()

    _encrypted: tuple[str, ...] = ()

    @classmethod
    def __setup__(cls) -> None:
        """Index the search hashes, and no similarity of what is encrypted."""
        super().__setup__()
        table = cls.__table__()
        cls._sql_indexes = {  # Tryton looks for names by similarity
            index
            for index in cls._sql_indexes
            if not any(isinstance(usage, Index.Similarity) for _, usage in index.expressions)
        }
        cls._sql_indexes |= {
            Index(table, (hash_column(Column(table, name)), Index.Equality()))
            for name in cls._encrypted
        }

    @classmethod
    def __register__(cls, module_name: str) -> None:
        """Encrypt what is there, when the module is activated or updated."""
        super().__register__(module_name)
        cls.encrypt_again()

    @classmethod
    def encrypt_again(cls) -> int:
        """Encrypt what is not, or is with a former key, with the keys in use; return how many.

        Raises:
            UserError: a key is missing.
        """
        return sum(cls._encrypt_column(name) for name in cls._encrypted)

    @classmethod
    def _encrypt_column(cls, name: str) -> int:
        table, cursor = cls.__table__(), Transaction().connection.cursor()
        column = Column(table, name)
        cursor.execute(*table.select(table.id, column, where=column != Null))
        stale = [(id_, stored) for id_, stored in cursor if not keys.is_current(stored, name)]
        for id_, stored in stale:
            again = keys.encrypt(keys.decrypt(stored), name)
            cursor.execute(*table.update([column], [again], where=table.id == id_))
        return len(stale)


class Party(metaclass=PoolMeta):
    "Party"

    __name__ = "party.party"

    name = Name("Name", strip=False, help="The main identifier of the party.")


class Address(metaclass=PoolMeta):
    "Address"

    __name__ = "party.address"

    party_name = Identity(
        "Party Name",
        help="If filled, replace the name of the party for address formatting",
    )
    name = Identity("Building Name")
    street = IdentityText("Street")
    postal_code = Identity("Postal Code")
    city = Identity("City")


class Identifier(EncryptedColumns, metaclass=PoolMeta):
    "Party Identifier"

    __name__ = "party.identifier"

    _encrypted = ("code",)
    code = Encrypted("Code", required=True)


class ContactMechanism(EncryptedColumns, metaclass=PoolMeta):
    "Contact Mechanism"

    __name__ = "party.contact_mechanism"

    _encrypted = ("value", "value_compact")
    value = Encrypted(
        "Value",
        # As Tryton's own: the fields that a change of the value fills.
        depends={"email", "website", "skype", "sip", "other_value", "value_compact"},
    )
    value_compact = Encrypted("Value Compact", readonly=True)
    name = Identity("Name")
    comment = IdentityText("Comment")


class Erase(metaclass=PoolMeta):
    "Erase Party"

    __name__ = "party.erase"

    def to_erase(self, party_id: int) -> list[tuple[Any, ...]]:
        """Return what erases a party: also the compact copy of its contact mechanisms."""
        mechanism = Pool().get("party.contact_mechanism")
        return [
            *super().to_erase(party_id),
            (mechanism, [("party", "=", party_id)], False, ["value_compact"], [None]),
        ]

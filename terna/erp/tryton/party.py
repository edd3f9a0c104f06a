"""Tryton's parties, whose names, addresses, identifiers and contact mechanisms are identities.

National ids are Tryton's identifiers, e-mail addresses and phone numbers its contact mechanisms:
the module adds no field for them, it encrypts those columns and every copy of them.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from sql import Column, Null
from trytond.i18n import gettext
from trytond.model import Index
from trytond.modules.party.exceptions import InvalidEMail
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, inactive_records, without_check_access

from terna.erp.tryton import keys
from terna.erp.tryton.identity import Encrypted, Identity, IdentityText, Name, hash_column


class WithIdentities:
    """A model of whose fields some are identities."""

    __slots__ = ()

    _identities: ClassVar[Mapping[str, type[Identity]]] = {}

    @classmethod
    def __setup__(cls) -> None:
        """Make the fields identities: a second definition of a field would not count."""
        super().__setup__()
        for name, kind in cls._identities.items():
            setattr(cls, name, kind.of(getattr(cls, name)))


class EncryptedColumns(WithIdentities):
    """A model with encrypted columns: their index, and what encrypts them again with new keys."""

    __slots__ = ()

    _encrypted: tuple[str, ...] = ()

    @classmethod
    def __setup__(cls) -> None:
        """Index the search hashes, and no similarity of what is encrypted."""
        super().__setup__()
        table = cls.__table__()
        cls._sql_indexes = {index for index in cls._sql_indexes if not _is_of_similarity(index)}
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


def _is_of_similarity(index: Any) -> bool:
    return any(isinstance(usage, Index.Similarity) for _, usage in index.expressions)


class Party(WithIdentities, metaclass=PoolMeta):
    "Party"

    __name__ = "party.party"

    _identities: ClassVar = {"name": Name}


class Address(WithIdentities, metaclass=PoolMeta):
    "Address"

    __name__ = "party.address"

    _identities: ClassVar = {
        **dict.fromkeys(("party_name", "name", "postal_code", "city"), Identity),
        "street": IdentityText,
    }


class Identifier(EncryptedColumns, metaclass=PoolMeta):
    "Party Identifier"

    __name__ = "party.identifier"

    _encrypted = ("code",)
    _identities: ClassVar = {"code": Encrypted}


class ContactMechanism(EncryptedColumns, metaclass=PoolMeta):
    "Contact Mechanism"

    __name__ = "party.contact_mechanism"

    _encrypted = ("value", "value_compact")
    _identities: ClassVar = {
        **dict.fromkeys(_encrypted, Encrypted),
        "name": Identity,
        "comment": IdentityText,
    }

    @classmethod
    def check_valid_email(
        cls, mechanisms: Iterable[Any], field_names: Iterable[str] | None = None
    ) -> None:
        """Check the form of e-mail addresses, and ask no name server for a customer's domain.

        Raises:
            InvalidEMail: an address has another form.
        """
        if field_names and not {"type", "value"} & set(field_names):
            return
        for mechanism in mechanisms:
            if mechanism.type == "email" and mechanism.value and not is_email(mechanism.value):
                raise InvalidEMail(
                    gettext(
                        "party.msg_email_invalid",
                        email=mechanism.value,
                        party=mechanism.party.rec_name,
                    )
                )


def is_email(text: str) -> bool:
    """Return whether a text has the form of an e-mail address."""
    return re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", text) is not None


class Replace(metaclass=PoolMeta):
    "Replace Party"

    __name__ = "party.replace"

    def transition_replace(self) -> str:
        """Replace a party by another one, which gets its features where it has none itself.

        Other features stay with the party that is replaced, with their labels: the party that
        replaces it has its own, which count.
        """
        state: str = super().transition_replace()
        with without_check_access():
            source, destination = self.ask.source, self.ask.destination
            has = {each.endpoint for each in destination.customer_features}
            moved = [each for each in source.customer_features if each.endpoint not in has]
            labels = [label for each in moved for label in each.history]
            for records in filter(None, (moved, labels)):
                records[0].__class__.write(records, {"party": destination.id})
        return state

    @classmethod
    def fields_to_replace(cls) -> list[tuple[str, str]]:
        """Return what refers to a party: also outcomes, and pseudonyms that it was asked with."""
        return [
            *super().fields_to_replace(),
            ("terna.outcome", "party"),
            ("terna.pseudonym", "party"),
        ]


class Erase(metaclass=PoolMeta):
    "Erase Party"

    __name__ = "party.erase"

    def transition_erase(self) -> str:
        """Erase a party, and with its pseudonyms what would join it with server 2."""
        state: str = super().transition_erase()
        pseudonyms, party = Pool().get("terna.pseudonym"), self.ask.party.id
        with without_check_access(), inactive_records():
            of_party = ["OR", ("party", "=", party), ("party.replaced_by", "=", party)]
            pseudonyms.delete(pseudonyms.search([of_party]))
        return state

    def to_erase(self, party_id: int) -> list[tuple[Any, ...]]:
        """Return what erases a party: also copies of contact mechanisms, and features."""
        mechanism, features, outcome = (
            Pool().get(name)
            for name in ("party.contact_mechanism", "terna.customer.features", "terna.outcome")
        )
        of_party = [("party", "=", party_id)]
        not_asked = {"values": None, "refused": None, "waiting": False}
        return [
            *super().to_erase(party_id),
            (mechanism, of_party, False, ["value_compact"], [None]),
            (features, of_party, True, [*not_asked], [*not_asked.values()]),
            (outcome, of_party, True, ["values"], [None]),
        ]

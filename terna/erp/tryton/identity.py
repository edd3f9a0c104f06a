"""Fields that tell who a customer is: hidden from roles that may not know, encrypted where stored.

The rule is kept where a value leaves the database, whatever asks for it: a form, a search, a sort,
an export, a report, another model's field or an error message. Access rights in roles.xml say it
once more, as Tryton's clients need them.
"""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

from sql import Literal, Null
from sql.functions import Substring
from trytond.i18n import gettext
from trytond.model import fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.tools import unescape_wildcard
from trytond.transaction import Transaction

from terna.erp.tryton import keys

SYSTEM = 0
"""Tryton's own user, as which no client can log in."""


def is_in(group: str) -> bool:
    """Return whether the transaction's user is in one of the module's groups, by its XML id."""
    pool = Pool()
    try:
        group_id = pool.get("ir.model.data").get_id("terna", group)
    except KeyError:  # the module is being installed
        return False
    return group_id in pool.get("res.user").get_groups()


def may_see_identities() -> bool:
    """Return whether the transaction's user sees who a customer is."""
    return Transaction().user == SYSTEM or is_in("group_case_handler")


def mask(name: str) -> str:
    """Return a name of which only the initials are left: `M••• G•••`."""
    return " ".join(f"{word[0]}•••" for word in name.split())


def hash_column(column: Any) -> Any:
    """Return the part of an encrypted column that is searched by."""
    return Substring(column, 1, keys.HASH_LENGTH)


class Identity(fields.Char):
    """A text that tells who a customer is: None, and not searched or sorted by, for some roles."""

    @classmethod
    def of(cls, text: Any) -> Any:
        """Return the same field as one of this class."""
        field = copy.deepcopy(text)
        field.__class__ = cls
        return field

    def get(
        self, ids: Sequence[int], model: Any, name: str, values: Iterable[dict[str, Any]] = ()
    ) -> dict[int, str | None]:
        """Return the value of each record as the transaction's user may see it."""
        show = self._as_stored if may_see_identities() else self._hidden
        return {row["id"]: row[name] and show(row[name]) for row in values}

    def convert_domain(self, domain: Any, tables: Any, model: Any) -> Any:
        """Return the condition of a search, which for who may not see holds for no record."""
        if not may_see_identities():
            return Literal(False)
        return self._condition(domain, tables, model)

    def convert_order(self, name: str, tables: Any, model: Any) -> Any:
        """Return what is sorted by, which for who may not see is the record's number."""
        if not may_see_identities():
            return [tables[None][0].id]
        return self._order(name, tables, model)

    def _as_stored(self, value: str) -> str | None:
        return value

    def _hidden(self, value: str) -> str | None:
        return None

    def _condition(self, domain: Any, tables: Any, model: Any) -> Any:
        return super().convert_domain(domain, tables, model)

    def _order(self, name: str, tables: Any, model: Any) -> Any:
        return super().convert_order(name, tables, model)


class IdentityText(Identity, fields.Text):
    """An identity of several lines."""


class Name(Identity):
    """A customer's name, of which a clerk sees the initials."""

    def _hidden(self, value: str) -> str | None:
        return mask(value) if is_in("group_clerk") else None


class Encrypted(Identity):
    """An identity that its column holds encrypted, found by a keyed hash of the whole value."""

    search_unaccented = False

    def sql_format(self, value: Any) -> Any:
        """Return what the column holds of a value.

        Raises:
            UserError: a key is missing.
        """
        value = super().sql_format(value)
        return keys.encrypt(value, self.name) if isinstance(value, str) else value

    def _as_stored(self, value: str) -> str:
        return keys.decrypt(value)

    def _order(self, name: str, tables: Any, model: Any) -> Any:
        return [tables[None][0].id]

    def _condition(self, domain: Any, tables: Any, model: Any) -> Any:
        """Return what finds whole values; `%text%`, as clients search, is the value `text`.

        Raises:
            AccessError: the operator compares more than whole values.
        """
        _, operator, value = domain
        table, _ = tables[None]
        column = self.sql_column(table)
        if operator.lstrip("not !") not in {"=", "in", "like", "ilike", ""}:
            raise AccessError(gettext("terna.msg_encrypted_operator", **model.__names__(self.name)))
        values = value if operator.endswith("in") else [value]
        if operator.endswith("like"):
            values = [unescape_wildcard(value.strip("%"))]
        hashes = [
            each
            for text in values
            if text is not None
            for each in keys.search_hashes(text, self.name)
        ]
        condition = hash_column(column).in_(hashes) if hashes else Literal(False)
        if None in values:
            condition |= column == Null
        return ~condition if operator[0] in "!n" else condition

"""Which fields of a record people write, where access rights alone do not say it.

Labels come from server 2: nobody writes one by hand, whatever form or call asks for it.
"""

from collections.abc import Sequence
from typing import Any

from trytond.i18n import gettext
from trytond.model.exceptions import AccessError
from trytond.pool import PoolMeta
from trytond.transaction import Transaction


class WrittenByPeople:
    """A model of whose fields people write some, and the module the others."""

    __slots__ = ()

    _by_people: frozenset[str] = frozenset()

    @classmethod
    def create(cls, vlist: Sequence[dict[str, Any]]) -> list[Any]:
        """Create records.

        Raises:
            AccessError: a client gives a field another value than its default.
        """
        if Transaction().check_access:
            given = {name for values in vlist for name in values} - cls._by_people
            defaults = cls.default_get(list(given), with_rec_name=False)
            for values in vlist:
                for name in given & values.keys():
                    if values[name] and values[name] != defaults.get(name):
                        cls._refuse(name)
        return super().create(vlist)

    @classmethod
    def write(cls, *args: Any) -> None:
        """Write records.

        Raises:
            AccessError: a client writes a field that is not for people.
        """
        if Transaction().check_access:
            for values in args[1::2]:
                for name in values.keys() - cls._by_people:
                    cls._refuse(name)
        super().write(*args)

    @classmethod
    def _refuse(cls, name: str) -> None:
        raise AccessError(gettext("terna.msg_not_by_people", **cls.__names__(name)))


class Party(metaclass=PoolMeta):
    "Party"

    __name__ = "party.party"

    @classmethod
    def copy(cls, parties: Sequence[Any], default: dict[str, Any] | None = None) -> list[Any]:
        """Copy parties without their labels and outcomes, which are of one customer."""
        nothing = {"customer_features": None, "outcomes": None}
        return super().copy(parties, default=nothing | (default or {}))


class CustomerFeatures(WrittenByPeople, metaclass=PoolMeta):
    "Customer's Features"

    __name__ = "terna.customer.features"

    _by_people = frozenset({"party", "endpoint", "values"})


class Outcome(WrittenByPeople, metaclass=PoolMeta):
    "Outcome"

    __name__ = "terna.outcome"

    _by_people = frozenset({"party", "endpoint", "label", "date"})

    @classmethod
    def write(cls, *args: Any) -> None:
        """Write outcomes that are not sent yet.

        Raises:
            AccessError: a client writes one that is.
        """
        if Transaction().check_access:
            for records in args[::2]:
                for record in records:
                    if record.state != "queued":
                        raise AccessError(gettext("terna.msg_outcome_sent"))
        super().write(*args)

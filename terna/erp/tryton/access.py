"""The access log: who saw an identity that their role hides, and who changed users or rights.

An entry is made and never changed: not by Tryton, whatever a user's rights, and not by the
database, which refuses it in a trigger.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from trytond import backend
from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.model.exceptions import AccessError, ValidationError
from trytond.pool import Pool, PoolMeta
from trytond.res.user import UserValidationError
from trytond.transaction import Transaction, without_check_access
from trytond.wizard import Button, StateView, Wizard

from terna.erp.tryton.identity import SYSTEM, is_in
from terna.erp.tryton.party import is_email

TRIGGERS = {
    "sqlite": [
        """CREATE TRIGGER IF NOT EXISTS terna_access_no_{event} BEFORE {event} ON terna_access
        BEGIN SELECT RAISE(ABORT, 'the access log is never changed'); END"""
    ],
    "postgresql": [
        """CREATE OR REPLACE FUNCTION terna_access_is_final() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the access log is never changed'; END $$""",
        """CREATE OR REPLACE TRIGGER terna_access_no_{event} BEFORE {event} ON terna_access
        FOR EACH STATEMENT EXECUTE FUNCTION terna_access_is_final()""",
    ],
}
"""By backend, what has the database refuse an event."""

EVENTS = {"sqlite": ("UPDATE", "DELETE"), "postgresql": ("UPDATE", "DELETE", "TRUNCATE")}


class Access(ModelSQL, ModelView):
    "Access to Identities"

    __name__ = "terna.access"

    event = fields.Selection(
        [("shown", "Identity shown"), ("changed", "Users or rights changed")],
        "Event",
        required=True,
        readonly=True,
    )
    login = fields.Char("Who", required=True, readonly=True, help="The login of the user.")
    customer = fields.Char("Customer", readonly=True, help="The code of the party.")
    reason = fields.Char("Reason", readonly=True, help="As the user has typed it in.")
    what = fields.Char("What", required=True, readonly=True, help="Kinds of values, no value.")

    @classmethod
    def __setup__(cls) -> None:
        """Show the newest first."""
        super().__setup__()
        cls._order = [("create_date", "DESC"), ("id", "DESC")]

    @classmethod
    def __register__(cls, module_name: str) -> None:
        """Have the database refuse changes."""
        super().__register__(module_name)
        cursor = Transaction().connection.cursor()
        for event in EVENTS[backend.name]:
            for statement in TRIGGERS[backend.name]:
                cursor.execute(statement.format(event=event))

    @classmethod
    @without_check_access
    def note(cls, event: str, what: str, **values: str) -> None:
        """Add an entry about the transaction's user, which no client can do."""
        user = Pool().get("res.user")(Transaction().user)
        cls.create([{"event": event, "what": what, "login": user.login, **values}])

    @classmethod
    def create(cls, vlist: Sequence[dict[str, Any]]) -> list[Any]:
        """Add entries.

        Raises:
            AccessError: a client asks for it.
        """
        if Transaction().check_access:
            cls._refuse()
        return super().create(vlist)

    @classmethod
    def write(cls, *_: Any) -> None:
        """Refuse: an entry stays as it is.

        Raises:
            AccessError: always.
        """
        cls._refuse()

    @classmethod
    def delete(cls, records: Sequence[Any]) -> None:
        """Refuse: an entry stays.

        Raises:
            AccessError: always.
        """
        cls._refuse()

    @classmethod
    def _refuse(cls) -> None:
        raise AccessError(gettext("terna.msg_access_final"))


class ShowIdentityAsk(ModelView):
    "Show Identity"

    __name__ = "terna.identity.show.ask"

    reason = fields.Char("Reason", required=True, help="It is kept in the access log.")


class ShowIdentityShown(ModelView):
    "Show Identity"

    __name__ = "terna.identity.show.shown"

    name = fields.Char("Name", readonly=True)
    identifiers = fields.Text("Identifiers", readonly=True)
    contact_mechanisms = fields.Text("Contact Mechanisms", readonly=True)
    addresses = fields.Text("Addresses", readonly=True)


class ShowIdentity(Wizard):
    "Show Identity"

    __name__ = "terna.identity.show"

    start_state = "ask"
    ask = StateView(
        "terna.identity.show.ask",
        "terna.identity_show_ask_view_form",
        [
            Button("Cancel", "end", "tryton-cancel"),
            Button("Show", "shown", "tryton-ok", default=True),
        ],
    )
    shown = StateView(
        "terna.identity.show.shown",
        "terna.identity_show_shown_view_form",
        [Button("Close", "end", "tryton-close", default=True)],
    )

    @classmethod
    def check_access(cls) -> None:
        """Refuse who has not the permission.

        Raises:
            AccessError: the user is not in the group, or may not read the party.
        """
        if Transaction().user != SYSTEM and not is_in("group_show_identity"):
            raise AccessError(gettext("terna.msg_show_identity_denied"))
        super().check_access()

    def default_shown(self, _fields: Sequence[str]) -> dict[str, str]:
        """Return the customer's identity, and note that it was shown.

        It is noted where it is read, as a client may ask for any state of a wizard.

        Raises:
            AccessError: the wizard was not started on a party.
            ValidationError: no reason is given.
        """
        reason = (getattr(self.ask, "reason", None) or "").strip()
        if not reason:
            raise ValidationError(gettext("terna.msg_reason_missing"))
        if not self.record or self.record.__name__ != "party.party":
            raise AccessError(gettext("terna.msg_identity_of_party"))
        customer, values, what = _identity(self.record.id)
        Pool().get("terna.access").note("shown", what, customer=customer, reason=reason)
        return values

    def _save(self) -> None:
        """Keep nothing in the session of what was shown."""
        self.shown = Pool().get("terna.identity.show.shown")()
        super()._save()


def _identity(party_id: int) -> tuple[str, dict[str, str], str]:
    """Return a party's code, who it is, and which kinds of values that tells."""
    with Transaction().set_user(SYSTEM), without_check_access():
        party = Pool().get("party.party")(party_id)
        identifiers = [(each.type_string, each.code) for each in party.identifiers]
        mechanisms = [(each.type, each.value) for each in party.contact_mechanisms]
        addresses = [("address", each.full_address) for each in party.addresses]
        values = {
            "name": party.name or "",
            "identifiers": _lines(identifiers),
            "contact_mechanisms": _lines(mechanisms),
            "addresses": "\n\n".join(text for _, text in addresses),
        }
    kinds = [kind for kind, _ in (("name", ""), *identifiers, *mechanisms, *addresses)]
    return party.code, values, ", ".join(dict.fromkeys(kind or "identifier" for kind in kinds))


def _lines(pairs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"{kind}: {value}" if kind else value for kind, value in pairs)


class Recorded:
    """A model that says who may do what: each change is in the access log."""

    __slots__ = ()

    @classmethod
    def create(cls, vlist: Sequence[dict[str, Any]]) -> list[Any]:
        """Create records, and note it."""
        records = super().create(vlist)
        cls._note("created", records, {name for values in vlist for name in values})
        return records

    @classmethod
    def write(cls, *args: Any) -> None:
        """Write records, and note which fields were written."""
        super().write(*args)
        for records, values in zip(args[::2], args[1::2], strict=True):
            cls._note("changed", records, set(values))

    @classmethod
    def delete(cls, records: Sequence[Any]) -> None:
        """Delete records, and note it."""
        cls._note("deleted", records, set())
        super().delete(records)

    @classmethod
    def _note(cls, how: str, records: Sequence[Any], names: set[str]) -> None:
        names -= cls._unrecorded
        if Transaction().user == SYSTEM or not (names or how == "deleted"):
            return
        entry = Pool().get("terna.access")
        for record in records:
            with without_check_access():
                of = f"{cls.__name__} {record.id} {record.rec_name}"
            entry.note("changed", f"{of} {how}: {', '.join(sorted(names))}".rstrip(": "))

    _unrecorded: frozenset[str] = frozenset()


OF_RIGHTS = (
    *("res.user", "res.user.role", "res.user-res.group", "res.user.application"),
    *("res.role", "res.role-res.group", "res.group"),
    *("ir.model.access", "ir.model.field.access", "ir.rule", "ir.rule.group"),
    *("ir.rule.group-res.group", "ir.action-res.group", "ir.model.button-res.group"),
    *("ir.action.report", "ir.email.template", "ir.trigger", "ir.cron"),
)
"""The models by which somebody comes to see or to do more."""

RECORDED = [
    PoolMeta("Recorded", (Recorded,), {"__name__": name, "__slots__": ()}) for name in OF_RIGHTS
]


class User(metaclass=PoolMeta):
    "User"

    __name__ = "res.user"

    _unrecorded = frozenset(
        {"language", "menu", "actions", "status_bar", "avatar", "signature", "warnings"}
    )

    @classmethod
    def check_valid_email(
        cls, users: Iterable[Any], field_names: Iterable[str] | None = None
    ) -> None:
        """Check the form of e-mail addresses alone: the ERP asks no name server."""
        if field_names and "email" not in field_names:
            return
        for user in users:
            if user.email and not is_email(user.email):
                raise UserValidationError(
                    gettext("res.msg_email_invalid", user=user.rec_name, email=user.email)
                )

    @classmethod
    def set_preferences(cls, values: dict[str, Any]) -> None:
        """Set the user's own preferences, among which Tryton counts roles by mistake."""
        super().set_preferences({name: values[name] for name in values if name != "roles"})

    @classmethod
    @without_check_access
    def sync_roles(cls, users: Sequence[Any] | None = None, date: Any = None) -> None:
        """Give users the groups of their roles, which whoever gives roles may not do by hand."""
        super().sync_roles(users=users, date=date)


class CheckedDomain:
    """A model whose searches check rights in the domain of `where`, as Tryton does elsewhere."""

    __slots__ = ()

    @classmethod
    def search(cls, domain: Any, *args: Any, **kwargs: Any) -> Any:
        """Search records.

        Raises:
            AccessError: a field or model in the domain may not be read.
        """
        if Transaction().user != SYSTEM and Transaction().check_access:
            _check_where(cls, domain)
        return super().search(domain, *args, **kwargs)


def _check_where(model: Any, domain: Any) -> None:
    if not isinstance(domain, (list, tuple)) or not domain:
        return
    if isinstance(domain[0], str) and domain[0] not in {"AND", "OR"}:
        name, operator, value = domain[:3]
        if isinstance(operator, str) and operator.endswith("where"):
            target = model
            for part in name.split("."):
                target = target._fields[part].get_target()
            target.search(value, limit=0, order=[])
        return
    for each in domain:
        _check_where(model, each)

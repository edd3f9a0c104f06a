"""Who may log in: the second factor, the lock-out, and sessions that end."""

import datetime
from typing import Any

from trytond.config import config
from trytond.exceptions import LoginException, RateLimitException
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import Transaction

from terna.erp.tryton import audit, configuration
from terna.errors import SettingsError

CODE = "totp_code"
"""The parameter of a login that is the second factor's code."""

ENROLLING = "terna_enrolling"
"""In the context of the transaction of the page that sets the second factor up. A client does not
choose this context: it is the one of a login, not of a call."""

LOCKED = datetime.timedelta(minutes=1)
"""How long a login is locked after the last of `[session] max_attempt` failures."""

REMEMBERED = datetime.timedelta(hours=1)
"""How long a failure counts: who goes on after the lock-out has one attempt for each minute."""


class User(metaclass=PoolMeta):
    "User"

    __name__ = "res.user"

    has_second_factor = fields.Function(
        fields.Boolean("Second Factor", help="Whether the login has a second factor set up."),
        "get_has_second_factor",
    )

    @classmethod
    def __setup__(cls) -> None:
        super().__setup__()
        cls._buttons["remove_second_factor"] = {
            "invisible": ~Eval("has_second_factor", False),
            "depends": ["has_second_factor"],
        }

    @classmethod
    def get_has_second_factor(cls, users: list[Any], name: str) -> dict[int, bool]:
        """Return for each user whether there is a second factor."""
        factors = Pool().get("terna.second_factor").search([("user", "in", users)])
        having = {factor.user.id for factor in factors}
        return {user.id: user.id in having for user in users}

    @classmethod
    @ModelView.button
    def remove_second_factor(cls, users: list[Any]) -> None:
        """Remove the second factors, so that the next login sets up others; ends sessions."""
        Pool().get("terna.second_factor").remove([user.id for user in users])
        Pool().get("ir.session").clear(users)
        administrator = Pool().get("res.user")(Transaction().user).login
        for user in users:
            audit.record(administrator, "remove second factor", user.login)
            Pool().get("terna.access").note(
                "changed", f"res.user {user.id} {user.rec_name} changed: second_factor"
            )

    @classmethod
    def get_login(cls, login: str, parameters: dict[str, Any]) -> int | None:
        """Return the user whose login this is and who has shown both factors.

        Raises:
            LoginException: another parameter is needed.
            RateLimitException: the login is locked, or the address has failed too often.
        """
        try:
            user: int | None = super().get_login(login, parameters)
        except RateLimitException:
            cls._record_login(login, "refused")
            raise
        cls._record_login(login, "ok" if user else "failed")
        return user

    @classmethod
    def _record_login(cls, login: str, outcome: str) -> None:
        # What is no login of anybody's may be a password, typed into the wrong field.
        known = cls._get_login(login)[0]
        action = "begin second factor" if Transaction().context.get(ENROLLING) else "log in"
        audit.record(login if known else "unknown", action, outcome=outcome)

    @classmethod
    def _login_totp(cls, login: str, parameters: dict[str, Any]) -> int | None:
        user: int | None = cls._get_login(login)[0]
        factor = Pool().get("terna.second_factor").of(user)
        if factor is None and Transaction().context.get(ENROLLING):
            return user
        if factor is None:
            raise LoginException(CODE, gettext("terna.msg_second_factor_missing"), type="char")
        if CODE not in parameters:
            raise LoginException(CODE, gettext("terna.msg_second_factor_code"), type="char")
        return user if factor.accepts(str(parameters[CODE])) else None

    @classmethod
    def _login_ldap(cls, login: str, parameters: dict[str, Any]) -> int | None:
        # The directory is asked about logins of this database only: what else is typed would be
        # part of a filter, and other spellings of a login would each have attempts of their own.
        if "password" in parameters and cls._get_login(login)[0] is None:
            return None
        return super()._login_ldap(login, parameters)

    @classmethod
    def ldap_search_user(cls, login: str, server: Any, attrs: list[str] | None = None) -> Any:
        """Search as the directory's user of the URI (`bindname`), whose password a file holds.

        Raises:
            LDAPException: the file cannot be read, or the directory refuses.
        """
        from ldap3.core.exceptions import LDAPException  # warns of Python's changes when it loads

        try:
            password = configuration.read_file("ldap_password_file")
        except SettingsError as error:
            raise LDAPException(str(error)) from None
        if password:
            config.set("ldap_authentication", "bind_pass", password)
        return super().ldap_search_user(login, server, attrs)


class LoginAttempt(metaclass=PoolMeta):
    "Login Attempt"

    __name__ = "res.user.login.attempt"

    @staticmethod
    def delay() -> datetime.datetime:
        """Return since when failures count."""
        return datetime.datetime.now() - REMEMBERED

    @classmethod
    def add(cls, login: str, device_cookie: str | None = None) -> None:
        """Count a failure, but none while the login is locked: it would never be free."""
        if not cls.is_locked(login, device_cookie):
            super().add(login, device_cookie)

    @classmethod
    def count(cls, login: str, device_cookie: str | None = None) -> int:
        """Return more attempts than are allowed while a login is locked, else none.

        Tryton sleeps for up to 2 ** count seconds, with a thread that others wait for.
        """
        return _allowed() + 1 if cls.is_locked(login, device_cookie) else 0

    @classmethod
    def is_locked(cls, login: str, device_cookie: str | None = None) -> bool:
        """Return whether a login is locked for a browser, or for all that it is new to."""
        failures = cls.search(
            [
                ("login", "=", login[: cls.login.size]),
                ("device_cookie", "=", device_cookie),
                ("create_date", ">=", cls.delay()),
            ],
            order=[("create_date", "DESC")],
            limit=_allowed(),
        )
        locked_since = datetime.datetime.now() - LOCKED
        return len(failures) == _allowed() and failures[0].create_date >= locked_since


class Session(metaclass=PoolMeta):
    "Session"

    __name__ = "ir.session"

    @classmethod
    def check(cls, user: int, key: str, domain: list[Any] | None = None) -> bool | None:
        """Return True for a session that goes on, False when it has ended, None for no session.

        Unlike Tryton's, a session ends also when nothing was asked for `[session] timeout`.
        """
        found: bool | None = super().check(user, key, domain=domain)
        if not found:
            return found
        return bool(cls.check_timeout(user, key, domain=domain))


def new_session(pool: Pool, user: int) -> str:
    """Return the key of a new session of a user who has logged in."""
    with Transaction().set_user(user):
        return str(pool.get("ir.session").new())


def _allowed() -> int:
    return int(config.getint("session", "max_attempt"))

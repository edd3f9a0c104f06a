"""The second factor of a login: codes of an authenticator app, and recovery codes.

An app computes six digits from a secret that it shares with the server and from the time, in steps
of 30 seconds: https://www.rfc-editor.org/rfc/rfc6238
"""

import base64
import hashlib
import hmac
import secrets
import time

import pyotp
from sql import Query
from trytond.model import Index, ModelSQL, Unique, fields
from trytond.transaction import Transaction

from terna.erp.tryton.identity import Encrypted
from terna.erp.tryton.party import EncryptedColumns

SKEW = 1
"""Steps by which the clocks of app and server may differ."""

RECOVERY_CODES = 10
RECOVERY_BYTES = 10
"""Of chance in each code, which nobody guesses: so a plain digest of it is enough."""


class SecondFactor(EncryptedColumns, ModelSQL):
    "Second Factor"

    __name__ = "terna.second_factor"

    user = fields.Many2One("res.user", "User", required=True, ondelete="CASCADE")
    secret = Encrypted("Secret", required=True)
    _encrypted = ("secret",)
    last_step = fields.Integer("Last Step", required=True)

    @classmethod
    def __setup__(cls) -> None:
        super().__setup__()
        cls.__rpc__ = {}
        table = cls.__table__()
        cls._sql_constraints.append(
            ("user_unique", Unique(table, table.user), "terna.msg_second_factor_unique")
        )

    @classmethod
    def of(cls, user: int | None) -> "SecondFactor | None":
        """Return a user's second factor, where there is one."""
        found = cls.search([("user", "=", user)], limit=1)
        return found[0] if found else None

    @classmethod
    def enrol(cls, user: int, shared: str, step: int) -> list[str]:
        """Make this the second factor of a user, instead of an earlier one.

        Args:
            shared: the secret that the app has, in base32.
            step: the step of the app's code that was shown for it.

        Returns:
            the recovery codes, of which only digests are kept.
        """
        cls.remove([user])
        cls.create([{"user": user, "secret": shared, "last_step": step}])
        return RecoveryCode.issue(user)

    @classmethod
    def remove(cls, users: list[int]) -> None:
        """Remove the second factors of users, and their recovery codes."""
        for model in (cls, RecoveryCode):
            model.delete(model.search([("user", "in", users)]))

    def accepts(self, code: str) -> bool:
        """Return whether it is a code of the app or a recovery code, and use it up."""
        code = normalized(code)
        step = step_of(self.secret, code)
        if step is None:
            return bool(RecoveryCode.use(self.user.id, code))
        return self._use(step)

    def _use(self, step: int) -> bool:
        # One statement: of two requests with the same code, the database lets one pass.
        table = self.__table__()
        unused = (table.id == self.id) & (table.last_step < step)
        return changes(table.update([table.last_step], [step], where=unused))


class RecoveryCode(ModelSQL):
    "Recovery Code"

    __name__ = "terna.recovery_code"

    user = fields.Many2One("res.user", "User", required=True, ondelete="CASCADE")
    digest = fields.Char("Digest", required=True)

    @classmethod
    def __setup__(cls) -> None:
        super().__setup__()
        cls.__rpc__ = {}
        table = cls.__table__()
        cls._sql_indexes.add(Index(table, (table.user, Index.Equality())))

    @classmethod
    def issue(cls, user: int) -> list[str]:
        """Make recovery codes for a user, and return them as people read them."""
        made = [secrets.token_bytes(RECOVERY_BYTES) for _ in range(RECOVERY_CODES)]
        codes = [base64.b32encode(chance).decode().lower() for chance in made]
        cls.create([{"user": user, "digest": digest(code)} for code in codes])
        return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]

    @classmethod
    def use(cls, user: int, code: str) -> bool:
        """Return whether the user has this code, which they then have no more."""
        table = cls.__table__()
        return changes(table.delete(where=(table.user == user) & (table.digest == digest(code))))


def step_of(shared: str, code: str) -> int | None:
    """Return the step of which this is the code, if it is one of now or next to it.

    Args:
        shared: the secret in base32.
    """
    totp = pyotp.TOTP(shared)
    now = totp.timecode(time.time())
    for step in range(now - SKEW, now + SKEW + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode()):
            return step
    return None


def normalized(code: str) -> str:
    """Return a code as it is computed, without what people type to read it more easily."""
    return code.replace(" ", "").replace("-", "").lower()


def digest(code: str) -> str:
    """Return what is kept of a recovery code."""
    return hashlib.sha256(code.encode()).hexdigest()


def changes(query: Query) -> bool:
    """Run a query, and return whether it has changed a row."""
    cursor = Transaction().connection.cursor()
    cursor.execute(*query)
    return bool(cursor.rowcount)

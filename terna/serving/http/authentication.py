"""Who calls: the API key of a request, what it may ask for, and how often."""

import logging
from collections.abc import Mapping, Sequence
from hmac import compare_digest
from pathlib import Path

from terna.errors import Forbidden, RequestError, SettingsError, TooManyRequests, Unauthenticated
from terna.files import file_state
from terna.security.api_keys import ApiKey, Scope, digest_of, read_keys
from terna.security.audit import AuditLog
from terna.serving.http.request import Request
from terna.serving.key_use import KeyUse

logger = logging.getLogger("terna.serving")

BURST_SECONDS = 1.0
"""Seconds' worth of requests that a caller may send at once."""

UNKNOWN = "unknown"
"""The name of a key that serving does not know, in the audit log: what was sent may be anything."""

_SEND_A_KEY = (
    "Send an API key in the header `Authorization: Bearer KEY`:"
    " the operator of this server makes one with `terna api-keys add NAME`."
)


class Caller:
    """A key that serving knows."""

    __slots__ = ("_due", "_interval", "digest", "key")

    def __init__(self, key: ApiKey) -> None:
        self.key = key
        self.digest = bytes.fromhex(key.digest)
        self._interval = 1 / key.requests_per_second if key.requests_per_second else 0.0
        self._due = 0.0

    def check(self, scope: Scope, now: float) -> None:
        """Count one more request.

        The limit is a generic cell rate algorithm: ITU-T I.371, annex A.

        Args:
            scope: what it asks for.
            now: seconds of a clock that never goes back.

        Raises:
            Forbidden: the key is not for that.
            TooManyRequests: it comes too soon after those before.
        """
        if self.key.scope is not scope:
            raise Forbidden(f"The API key {self.key.name} is for {self.key.scope} only.")
        due = max(self._due, now)
        if due - now > BURST_SECONDS:
            raise TooManyRequests(
                f"The API key {self.key.name} may send {self.key.requests_per_second:g} requests"
                " a second: send fewer, or ask for a higher limit."
            )
        self._due = due + self._interval


class Authenticator:
    """Knows the callers of one worker, as their file says."""

    def __init__(self, path: Path, audit: AuditLog) -> None:
        """Remember the file of the keys; `refresh` reads it."""
        self._path = path
        self._modified: tuple[int, int] | None = None
        self._callers: Mapping[str, Sequence[Caller]] = {}
        self._use = KeyUse(audit)

    def authenticate(self, request: Request, scope: Scope, now: float) -> str:
        """Return the name of the key that a request came with.

        Args:
            scope: what it asks for.
            now: seconds of a clock that never goes back.

        Raises:
            Unauthenticated: there is no key, or none that is known.
            Forbidden: the key may not ask for this.
            TooManyRequests: it has asked too often.
        """
        caller = self._find(request.header("authorization"))
        name = caller.key.name if caller else UNKNOWN
        try:
            if not caller:
                raise Unauthenticated(_SEND_A_KEY)
            caller.check(scope, now)
        except RequestError:
            self._use.count(name, request.client, "refused")
            raise
        self._use.count(name, request.client, "ok")
        return name

    def refresh(self) -> None:
        """Read the keys again if their file has changed, and record what they were used for.

        What cannot be read changes nothing.
        """
        self._use.record_when_due()
        modified = file_state(self._path)
        if modified in (None, self._modified):
            return
        self._modified = modified
        try:
            self._callers = _by_name(read_keys(self._path))
        except SettingsError as error:
            logger.error("%s The API keys stay as they were.", error)

    def close(self) -> None:
        """Record what the keys were used for since the last time."""
        self._use.record()

    def _find(self, authorization: str) -> Caller | None:
        scheme, _, key = authorization.partition(" ")
        digest = digest_of(key)
        for caller in self._callers.get(key.partition(".")[0], ()):
            if compare_digest(caller.digest, digest) and scheme.lower() == "bearer":
                return caller
        return None


def _by_name(keys: Sequence[ApiKey]) -> Mapping[str, Sequence[Caller]]:
    callers: dict[str, list[Caller]] = {}
    for key in keys:
        callers.setdefault(key.name, []).append(Caller(key))
    return callers

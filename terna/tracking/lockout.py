"""The lock-out: who has guessed a password wrong too often waits."""

from collections.abc import Hashable

from cachetools import TTLCache

ATTEMPTS = 5
"""Wrong passwords after which one has to wait."""

SECONDS = 60
"""How long, and how long a wrong password counts."""

REMEMBERED = 10_000
"""Callers whose wrong passwords are counted at a time; those of the longest ago are forgotten."""


class Lockout:
    """Counts wrong passwords for each caller."""

    def __init__(self) -> None:
        """Start with nobody locked."""
        self._wrong: TTLCache[Hashable, int] = TTLCache(REMEMBERED, SECONDS)

    def is_locked(self, caller: Hashable) -> bool:
        """Return whether the caller has to wait."""
        return self._wrong.get(caller, 0) >= ATTEMPTS

    def count(self, caller: Hashable) -> None:
        """Count a wrong password; the time begins anew."""
        self._wrong[caller] = self._wrong.get(caller, 0) + 1

    def forget(self, caller: Hashable) -> None:
        """Forget the caller's wrong passwords, after a right one."""
        self._wrong.pop(caller, None)

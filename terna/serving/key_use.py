"""Which API keys are used, from where: a few lines of the audit log a minute, not one a request."""

import logging
import re
from collections import Counter
from time import monotonic

from terna.errors import SettingsError
from terna.security.audit import AuditLog

logger = logging.getLogger("terna.serving")

RECORD_SECONDS = 60.0
"""Seconds between two times that uses are written to the audit log."""

MAX_KINDS = 1000
"""Different uses that are counted apart: addresses in a header may be anything."""

ELSEWHERE = "elsewhere"
"""The address of uses beyond these, and of what is no address."""

_ADDRESS = re.compile("[0-9A-Fa-f.:]{2,45}")


class KeyUse:
    """Counts the uses of keys in one worker, and records them."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit
        self._uses: Counter[tuple[str, str, str]] = Counter()
        self._due = monotonic() + RECORD_SECONDS

    def count(self, name: str, address: str, outcome: str) -> None:
        """Count one request.

        Args:
            name: the key's.
            outcome: `ok` or `refused`.
        """
        use = name, address, outcome
        if use not in self._uses and len(self._uses) >= MAX_KINDS:
            use = name, ELSEWHERE, outcome
        self._uses[use] += 1

    def record_when_due(self) -> None:
        """Write what was counted to the audit log, if the last time is long enough ago."""
        if monotonic() >= self._due:
            self.record()

    def record(self) -> None:
        """Write what was counted to the audit log; a log that cannot be written stops nobody."""
        self._due = monotonic() + RECORD_SECONDS
        uses, self._uses = self._uses, Counter()
        try:
            for (name, address, outcome), count in uses.items():
                where = address if _ADDRESS.fullmatch(address) else ELSEWHERE
                self._audit.record(name, "use API key", f"{count} requests", where, outcome)
        except SettingsError as error:
            logger.error("%s", error)

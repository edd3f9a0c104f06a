"""The audit log: who did what, when and from where, a line of JSON each.

A line names people, logins, keys, models and versions; it never holds a feature, a password or
what else a client sent.
"""

import os
import socket
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from terna.errors import SettingsError

SYSLOG_PREFIX = b"<86>terna: "
"""Facility authpriv, severity info: RFC 3164, section 4.1.1, as syslog(3) sends it."""


class AuditEvent(msgspec.Struct, omit_defaults=True):
    """One line of the audit log."""

    time: datetime
    who: str
    """A person, a login or an API key's name."""
    action: str
    """A verb and its object, such as `promote version`."""
    outcome: str = "ok"
    """`ok`, `refused` or `failed`."""
    what: str = ""
    """What was acted on, such as `rfc_tune 3`."""
    where: str = ""
    """The address or the terminal from which it was done."""


class AuditLog:
    """Appends events to a file, or sends them to the socket of a syslog daemon that does."""

    def __init__(self, destination: Path) -> None:
        """
        Args:
            destination: a file, made where it is missing, or the Unix datagram socket of a daemon.
        """
        self._destination = destination

    def record(
        self, who: str, action: str, what: str = "", where: str = "", outcome: str = "ok"
    ) -> None:
        """Append one event; whole, whoever else appends at the same time.

        Raises:
            SettingsError: the event cannot be written.
        """
        event = AuditEvent(datetime.now(UTC), who, action, outcome, what, where)
        line = msgspec.json.encode(event)
        try:
            self._send(line) if self._is_socket() else self._append(line)
        except OSError as error:
            raise SettingsError(
                f"The audit log {self._destination} cannot be written: {error.strerror}."
            ) from None

    def _is_socket(self) -> bool:
        with suppress(FileNotFoundError):
            return stat.S_ISSOCK(self._destination.stat().st_mode)
        return False

    def _send(self, line: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.setblocking(False)
            connection.connect(str(self._destination))
            connection.send(SYSLOG_PREFIX + line)

    def _append(self, line: bytes) -> None:
        self._destination.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        with os.fdopen(os.open(self._destination, flags, 0o600), "ab", buffering=0) as file:
            file.write(line + b"\n")

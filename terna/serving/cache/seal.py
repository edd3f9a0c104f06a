"""Seals: what is in the model cache beside model directories has been written by this server.

A model directory is signed by training. What serving itself writes beside it, the current version
and its compiled model, is sealed with a MAC: only who can read this server's private key can make
one. A seal is of one subject, so that what was sealed for one version is no good for another.
"""

import hmac
import logging
from dataclasses import astuple
from hashlib import sha256
from pathlib import Path

from terna.contracts.version import Version
from terna.files import write_private
from terna.serving import metrics

logger = logging.getLogger("terna.serving")

SEAL_LENGTH = 64
"""Of HMAC-SHA-256, in hexadecimal digits; a line break follows."""


class Seal:
    """A seal whose key is derived from a secret file of this server."""

    def __init__(self, secret: Path) -> None:
        """
        Args:
            secret: a file that nobody else can read; it is read when something is sealed.
        """
        self._secret = secret

    def write(self, path: Path, content: bytes, subject: str) -> None:
        """Replace a file by sealed content, atomically."""
        write_private(path, self._mac(content, subject) + b"\n" + content)

    def read(self, path: Path, subject: str) -> bytes | None:
        """Return the content of a sealed file.

        None where there is none, and where it was sealed for another subject, elsewhere or not at
        all, which is reported in the log.
        """
        try:
            sealed = path.read_bytes()
        except OSError:
            return None
        mac, content = sealed[:SEAL_LENGTH], sealed[SEAL_LENGTH + 1 :]
        if hmac.compare_digest(mac, self._mac(content, subject)):
            return content
        metrics.DAMAGED.inc()
        logger.error("the %s was changed or damaged in the model cache: not used", subject)
        return None

    def _mac(self, content: bytes, subject: str) -> bytes:
        key = sha256(b"model cache of terna: " + self._secret.read_bytes()).digest()
        return hmac.new(key, f"{subject}\n".encode() + content, "sha256").hexdigest().encode()


def describe(version: Version) -> str:
    """Return name, number, source and run of a version, for what is sealed for it alone."""
    return " ".join(map(repr, astuple(version)))

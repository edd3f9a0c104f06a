"""The renewal of certificates: who does it, what is said of it, and how a server notices."""

import logging
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from terna.errors import TernaError
from terna.files import file_state

logger = logging.getLogger("terna.certificates")

RENEW_HOURS = 6
"""Hours between two looks at what is to be renewed."""

WARN_DAYS = 30
"""Days left from which on the log warns: by then a certificate should long be a new one."""

FOLLOW_SECONDS = 2
"""How often a server looks at its files."""


def renew_repeatedly(renew: Callable[[], object], certs: Path) -> None:
    """Renew now and every few hours, and log what is left of each certificate; does not return.

    Args:
        renew: makes anew what is due; its TernaError is logged.
        certs: the folder with the CA's certificate, and a folder for each service's.
    """
    while True:
        try:
            renew()
        except TernaError as error:
            logger.error("nothing is renewed: %s", error)
        log_days_left(certs)
        time.sleep(timedelta(hours=RENEW_HOURS).total_seconds())


def log_days_left(certs: Path) -> None:
    """Log how long each certificate of the folder is still valid; warn where it is not long."""
    for path in (certs / "ca.crt", *sorted(certs.glob("*/tls.crt"))):
        try:
            days = days_left(path)
        except (OSError, ValueError) as error:
            logger.error("%s cannot be read (%s)", path, type(error).__name__)
            continue
        level = logging.INFO if days >= WARN_DAYS else logging.WARNING
        logger.log(level, "%s is valid for %d more days", path, days)


def days_left(path: Path) -> float:
    """Return how many days a certificate is still valid; less than 0 if it has expired.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no certificate in PEM.
    """
    return (expiry(path) - datetime.now(UTC)) / timedelta(days=1)


def expiry(path: Path) -> datetime:
    """Return when a certificate expires.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no certificate in PEM.
    """
    from cryptography import x509  # here, so that serving's workers are without

    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc


class CertificateFiles:
    """The files of a server's certificate and key, which are replaced while it runs."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Remember the two as they are now: the server has just read them, or is about to."""
        self.certificate, self.key = certificate, key
        self._seen = self._state()

    def were_renewed(self) -> bool:
        """Return whether there are other ones since the last time, and they fit each other.

        Of those that do not fit it is said once, in the log; the server goes on with what it has.
        """
        state = self._state()
        if state == self._seen or None in state:
            return False
        self._seen = state
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            logger.error("%s is not used: %s", self.certificate, error.strerror or error)
            return False
        return True

    def _state(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(file_state(path) for path in (self.certificate, self.key))


def follow(files: CertificateFiles, context: ssl.SSLContext) -> None:
    """Load renewed files into a server's context, for its new connections; does not return."""
    while True:
        time.sleep(FOLLOW_SECONDS)
        if files.were_renewed():
            context.load_cert_chain(files.certificate, files.key)
            logger.warning("%s is a new one, and used from now on", files.certificate)

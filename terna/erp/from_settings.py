"""The connection that Terna's settings describe, for those who have settings."""

from terna.erp.connection import Connection
from terna.settings import Erp


def connection_of(erp: Erp) -> Connection:
    """Return the connection; without a certificate where its file does not exist."""
    has_certificate = erp.certificate.exists()
    return Connection(
        endpoint=erp.endpoint,
        ca=erp.ca,
        api_key_file=erp.api_key_file,
        certificate=erp.certificate if has_certificate else None,
        key=erp.key if has_certificate else None,
        timeout_seconds=erp.timeout_seconds,
    )

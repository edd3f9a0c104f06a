"""A renewed certificate is served by the tracking server that runs, to new connections."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from terna.local.servers import ensure_local_secrets
from terna.settings import Settings, Tracking
from tests.running import wait_until


@contextmanager
def connected(tracking: Tracking) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cafile=tracking.ca)
    with (
        socket.create_connection(("localhost", tracking.port), 30) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        yield connection


def serial_number(tracking: Tracking) -> str:
    """Of the certificate that a new connection gets."""
    with connected(tracking) as connection:
        return str((connection.getpeercert() or {})["serialNumber"])


def test_tracking_serves_a_renewed_certificate_and_answers_what_was_begun_before(
    tracked: Settings,
) -> None:
    tracking = tracked.tracking
    before = serial_number(tracking)
    with connected(tracking) as begun:
        begun.sendall(b"GET /version HTTP/1.1\r\nhost: localhost\r\n")
        tracking.certificate.unlink()
        ensure_local_secrets(tracked, tracking.certificate.parents[2])
        wait_until(lambda: serial_number(tracking) != before)
        begun.sendall(b"\r\n")
        assert begun.recv(4096).startswith(b"HTTP/1.1 401 ")  # as it comes without a login

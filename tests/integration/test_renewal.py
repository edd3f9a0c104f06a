"""The tracking server that runs takes a renewed certificate, and a login's rotated password."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from terna.errors import TrackingRefused
from terna.local.servers import ensure_local_secrets
from terna.registry.client import connect, log_in_again
from terna.registry.registry import MLflowRegistry
from terna.security.rotation import rotate
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


def test_client_whose_password_was_rotated_reads_the_new_one_and_goes_on(tracked: Settings) -> None:
    tracking = tracked.tracking.model_copy(update={"user": "serving"})
    registry = MLflowRegistry(connect(tracking))
    registry.check()

    rotate(tracking.logins_dir.parents[1], "tracking/logins/serving", 0)
    wait_until(lambda: is_refused(registry))

    assert log_in_again(tracking)
    registry.check()
    connect(tracked.tracking)  # the login is a setting of the whole process


def is_refused(registry: MLflowRegistry) -> bool:
    try:
        registry.check()
    except TrackingRefused:
        return True
    return False

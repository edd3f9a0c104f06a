"""Certificates are renewed while everything runs, and no request notices."""

import socket
import ssl
from collections.abc import Mapping

import pytest

from terna.erp.client import tls_context
from tests.e2e.customers import holdout_rows
from tests.e2e.stacks.compose import ComposeStack
from tests.load import load

pytestmark = pytest.mark.only_on("compose")

PORTS = {"tracking": 5000, "postgres": 5432, "object-store": 9000, "serving": 8124, "erp": 8443}

SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""With which a client of Postgres begins: https://www.postgresql.org/docs/17/protocol-message-formats.html"""


def serial_number(replica: ComposeStack, server: str) -> str:
    """Of the certificate that a new connection gets; empty where none comes about."""
    address = replica.project.addresses(server)[0], PORTS[server]
    try:
        with socket.create_connection(address, timeout=10) as plain:
            if server == "postgres":
                plain.sendall(SSL_REQUEST)
                plain.recv(1)
            context = tls_context(replica.settings.erp)
            with context.wrap_socket(plain, server_hostname=server) as connection:
                return str((connection.getpeercert() or {})["serialNumber"])
    except (ConnectionError, ssl.SSLEOFError):  # of a worker of serving that ends
        return ""


def serial_numbers(replica: ComposeStack) -> Mapping[str, str]:
    return {server: serial_number(replica, server) for server in PORTS}


def processes(replica: ComposeStack) -> Mapping[str, int]:
    return {server: replica.project.inspect(server)["State"]["Pid"] for server in PORTS}


def test_every_server_takes_its_renewed_certificate_while_labels_are_asked_for(
    replica: ComposeStack,
) -> None:
    before, running = serial_numbers(replica), processes(replica)
    with load(replica.settings.erp, holdout_rows(1)[0]) as asked:
        for server in PORTS:
            (replica.root / "certs" / server / "tls.crt").unlink()
        replica.project.compose("run", "--rm", "-T", "init-secrets")
        replica.wait_until(
            lambda: all(
                new and new != before[name] for name, new in serial_numbers(replica).items()
            )
        )
        replica.wait_until(lambda: "all workers are new ones" in replica.log("serving"))
    assert asked.failed == []
    assert asked.answered > 0
    assert processes(replica) == running


def test_renewing_service_says_how_long_each_certificate_is_valid(replica: ComposeStack) -> None:
    replica.project.compose("restart", "renew")
    replica.wait_until(
        lambda: all(
            f"/certs/{server}/tls.crt is valid for 89 more days" in replica.log("renew")
            for server in PORTS
        ),
        "renew",
    )

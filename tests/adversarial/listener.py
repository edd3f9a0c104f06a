"""Where clients of a stack connect to."""

import socket
import ssl
from dataclasses import dataclass
from http.client import HTTPConnection

from terna.erp.connection import Connection, authorization, tls_context

PATIENCE = 60
"""Seconds: more than every deadline of a server takes."""


@dataclass(frozen=True)
class Listener:
    """Where a server of a stack listens, for TLS."""

    name: str
    address: tuple[str, int]
    server_name: str
    """In the server's certificate."""
    connection: Connection
    """With which certificates and API key it is asked."""

    @property
    def headers(self) -> dict[str, str]:
        """Those by which a request is answered at all."""
        return authorization(self.connection)

    def connect(self, seconds: float = PATIENCE) -> ssl.SSLSocket:
        """Open a connection of which every step may take so long."""
        trusted = tls_context(self.connection)
        plain = socket.create_connection(self.address, seconds)
        # http.client sends head and body apart; without this the second waits for an ACK, 40 ms.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            return trusted.wrap_socket(plain, server_hostname=self.server_name)
        except BaseException:
            plain.close()
            raise

    def speak_http(self, seconds: float = PATIENCE) -> HTTPConnection:
        """Open a connection that is kept, and not made anew by itself."""
        connection = HTTPConnection(self.server_name, timeout=seconds)
        connection.auto_open = 0
        connection.sock = self.connect(seconds)
        return connection


def with_headers(sent: bytes, headers: dict[str, str]) -> bytes:
    """Return what is sent with more headers in its head, if it has one."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return sent.replace(b"\r\n", f"\r\n{lines}".encode(), 1)

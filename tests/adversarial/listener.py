"""Where clients of a stack connect to."""

import socket
import ssl
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

PATIENCE = 60
"""Seconds: more than every deadline of a server takes."""


@dataclass(frozen=True)
class Listener:
    """Where a server of a stack listens, for TLS."""

    name: str
    address: tuple[str, int]
    server_name: str
    """In the server's certificate."""
    ca: Path

    def connect(self, seconds: float = PATIENCE) -> ssl.SSLSocket:
        """Open a connection of which every step may take so long."""
        trusted = ssl.create_default_context(cafile=str(self.ca))
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

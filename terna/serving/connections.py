"""A worker's connections: those that are silent, or too many of one peer, are closed.

granian has deadlines for a TLS handshake (10 s) and for the head of a request, but none for a
connection that is silent between the two, and no limit for one peer. So a thread looks at the
process's own sockets, and at what the kernel knows of them: TCP_INFO, of tcp(7).
"""

import logging
import os
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from terna.settings import Serving

logger = logging.getLogger("terna.serving")

SCAN_SECONDS = 1.0
"""Seconds between two looks; each takes 15 µs for a connection."""

SPARE_SECONDS = 5.0
"""Seconds after its last deadline until a silent connection is closed: no request waits then."""

_TCP_INFO_BYTES = 60
_SINCE_LAST_DATA = struct.Struct("=44xI4xI4x")
"""Of `struct tcp_info`: milliseconds since data were sent last, and since some were received."""

_IP = (socket.AF_INET, socket.AF_INET6)


class Connection(NamedTuple):
    """One accepted connection."""

    descriptor: int
    peer: tuple[str, int]
    silent_seconds: float


class ConnectionLimits:
    """The limits of a worker's connections, and the thread that enforces them."""

    def __init__(self, serving: Serving) -> None:
        self._port = serving.port
        self._max_per_peer = serving.max_connections_per_peer
        self._max_silent = SPARE_SECONDS + max(
            serving.idle_timeout_seconds, serving.body_timeout_seconds, serving.timeout_seconds
        )
        self._known: dict[tuple[str, int], int] = {}
        """The peers' addresses and ports, with their place in the order in which they came."""
        self._arrived = 0

    def start(self) -> None:
        """Enforce the limits from now on, until the process ends."""
        threading.Thread(target=self._enforce_repeatedly, name="connections", daemon=True).start()

    def enforce(self) -> None:
        """Close the connections that are silent, and each peer's newest above its limit."""
        connections = list(self._connections())
        self._number([connection.peer for connection in connections])
        of_peer: Counter[str] = Counter()
        for connection in sorted(connections, key=lambda each: self._known[each.peer]):
            if connection.silent_seconds > self._max_silent:
                self._close(connection)
                continue
            of_peer[connection.peer[0]] += 1
            if of_peer[connection.peer[0]] > self._max_per_peer:
                self._close(connection)

    def _enforce_repeatedly(self) -> None:
        while True:
            time.sleep(SCAN_SECONDS)
            try:
                self.enforce()
            except Exception as error:  # without this thread there would be no limits any more
                logger.error("unexpected %s", type(error).__name__)

    def _connections(self) -> Iterator[Connection]:
        for file in Path("/proc/self/fd").iterdir():
            descriptor = int(file.name)
            with suppress(OSError), _duplicate(descriptor) as accepted:
                if accepted.family in _IP and accepted.getsockname()[1] == self._port:
                    peer = accepted.getpeername()[:2]
                    yield Connection(descriptor, peer, _silent_seconds(accepted))

    def _number(self, peers: list[tuple[str, int]]) -> None:
        """Give the peers that are new a number, and forget those that have gone."""
        known, self._known = self._known, {}
        for peer in peers:
            self._arrived += 1
            self._known[peer] = known.get(peer, self._arrived)

    def _close(self, connection: Connection) -> None:
        """Shut a connection down, unless its descriptor is another one's by now."""
        with suppress(OSError), _duplicate(connection.descriptor) as accepted:
            if accepted.getpeername()[:2] == connection.peer:
                accepted.shutdown(socket.SHUT_RDWR)


@contextmanager
def _duplicate(descriptor: int) -> Iterator[socket.socket]:
    """Yield a socket of its own for a descriptor that another thread may close at any time.

    Raises:
        OSError: it is no socket, or none any more.
    """
    duplicate = os.dup(descriptor)
    try:
        accepted = socket.socket(fileno=duplicate)
    except OSError:
        os.close(duplicate)
        raise
    with accepted:
        yield accepted


def _silent_seconds(connected: socket.socket) -> float:
    info = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    sent, received = _SINCE_LAST_DATA.unpack(info)
    return float(min(sent, received)) / 1000

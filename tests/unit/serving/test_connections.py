"""A worker's connections: which ones are closed, as real sockets of this process."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from terna.serving import connections
from terna.serving.connections import ConnectionLimits
from terna.settings import Serving


class Worker:
    """A process that accepts connections, and the ends of its clients."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        self.accepted: list[socket.socket] = []
        self.clients: list[socket.socket] = []

    def connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port))
        client.settimeout(0.1)
        self.clients.append(client)
        self.accepted.append(self.listening.accept()[0])
        return client

    def descriptors(self) -> int:
        """Count this process's descriptors of all its sockets: one each, unless some are left."""
        sockets = (self.listening, *self.accepted, *self.clients)
        inodes = {os.fstat(each.fileno()).st_ino for each in sockets}
        links = {f"socket:[{inode}]" for inode in inodes}
        return sum(_link(file) in links for file in Path("/proc/self/fd").iterdir())

    def limits(self, **settings: Any) -> ConnectionLimits:
        return ConnectionLimits(Serving(port=self.port, **settings))

    def close(self) -> None:
        for each in (self.listening, *self.accepted, *self.clients):
            each.close()


def _link(file: Path) -> str:
    try:
        return str(file.readlink())
    except FileNotFoundError:  # another thread has closed it
        return ""


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


def is_open(client: socket.socket) -> bool:
    try:
        return client.recv(1) != b""
    except TimeoutError:
        return True


def test_newest_connections_above_the_limit_of_a_peer_are_closed(worker: Worker) -> None:
    limits = worker.limits(max_connections_per_peer=2)
    for _ in range(2):
        worker.connect()
    limits.enforce()
    assert all(map(is_open, worker.clients))

    for _ in range(3):
        worker.connect()
    limits.enforce()

    assert list(map(is_open, worker.clients)) == [True, True, False, False, False]


def test_connection_that_is_silent_is_closed_and_others_are_not(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SPARE_SECONDS", 0.5)
    limits = worker.limits(idle_timeout_seconds=0.1, body_timeout_seconds=0.1, timeout_seconds=0.1)
    silent, asking, answered = worker.connect(), worker.connect(), worker.connect()
    time.sleep(1)
    asking.sendall(b"a")
    worker.accepted[2].sendall(b"b")
    assert answered.recv(1) == b"b"

    limits.enforce()

    assert [is_open(each) for each in (silent, asking, answered)] == [False, True, True]


def test_connections_of_another_port_are_left_alone(worker: Worker) -> None:
    other = Worker()
    clients = [other.connect() for _ in range(3)]

    worker.limits(max_connections_per_peer=1).enforce()

    assert all(map(is_open, clients))
    other.close()


def test_port_is_listened_on_and_no_descriptor_is_left_after_a_look(worker: Worker) -> None:
    limits = worker.limits(max_connections_per_peer=2)
    worker.connect()
    worker.connect()

    for _ in range(10):
        limits.enforce()

    assert worker.descriptors() == 1 + 2 * 2
    assert not worker.accepted[0].get_inheritable()

"""Clients that send slowly, or nothing, or too much, beside one that asks as it should.

The deadlines are short, so that all attacks are over within seconds. The well-behaved client has an
address of its own, and a new connection for each request.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import httpx
import psutil
import pytest

from terna.erp.connection import authorization, tls_context
from terna.erp.from_settings import connection_of
from terna.local.servers import LocalServers
from tests.adversarial.listener import with_headers
from tests.running import running_with_a_model
from tests.unit.workshop import Workshop, opened

ATTACKERS = 200
MAX_CONNECTIONS = 250
MAX_BYTES_IN_FLIGHT = 20_000_000
HEAD = b"POST /invocations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return opened(tmp_path_factory.mktemp("workshop"))


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, workshop: Workshop) -> Iterator[LocalServers]:
    with running_with_a_model(
        tmp_path_factory.mktemp("serving"),
        workshop,
        timeout_seconds=2,
        body_timeout_seconds=2,
        idle_timeout_seconds=2,
        max_connections_per_peer=MAX_CONNECTIONS,
        max_bytes_in_flight=MAX_BYTES_IN_FLIGHT,
    ) as replica:
        yield replica


class Asker(threading.Thread):
    """A client that asks 20 times a second for a label, each time on a new connection."""

    def __init__(self, replica: LocalServers, rows: list[list[object]]) -> None:
        super().__init__()
        self._connection = connection_of(replica.settings.erp)
        self._rows = rows
        self._ended = threading.Event()
        self.answers: list[object] = []

    def run(self) -> None:
        trusted, headers = tls_context(self._connection), authorization(self._connection)
        while not self._ended.wait(0.05):
            own_address = httpx.HTTPTransport(verify=trusted, local_address="127.0.0.2")
            with httpx.Client(transport=own_address, headers=headers, timeout=10) as client:
                self.answers.append(self._ask(client))

    def _ask(self, client: httpx.Client) -> object:
        try:
            url = self._connection.endpoint.replace("localhost", "127.0.0.1")
            return client.post(url, json={"inputs": self._rows}).status_code
        except httpx.HTTPError as error:
            return repr(error)

    def stop(self) -> None:
        self._ended.set()
        self.join()


@pytest.fixture
def asker(serving: LocalServers, workshop: Workshop) -> Iterator[Asker]:
    """The client; no attack may have cost it one answer."""
    asker = Asker(serving, workshop.rows()[:1])
    asker.start()
    yield asker
    asker.stop()
    assert len(asker.answers) >= 5
    assert set(asker.answers) == {200}


class Attack:
    """Connections that are opened at once, and what becomes of them."""

    def __init__(self, replica: LocalServers) -> None:
        self._port = replica.settings.serving.port
        self._trusted = tls_context(connection_of(replica.settings.erp))
        self._headers = authorization(connection_of(replica.settings.erp))
        self._opened = ExitStack()
        self.connections: list[socket.socket] = []

    def open(self, count: int, sent: bytes, tls: bool = True) -> None:
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", self._port), 10)
            with suppress(OSError):  # it may be closed while it is sent
                if tls:
                    connection = self._trusted.wrap_socket(connection, server_hostname="localhost")
                connection.sendall(with_headers(sent, self._headers))
            self._opened.enter_context(connection)
            self.connections.append(connection)

    def trickle(self) -> None:
        """Send one byte more on each connection."""
        for connection in self.connections:
            with suppress(OSError):
                connection.sendall(b"x")

    def still_open(self) -> int:
        return sum(map(_is_open, self.connections))

    def close(self) -> None:
        self._opened.close()


def _is_open(connection: socket.socket) -> bool:
    """Whether the server has not closed it; what it sent before is skipped."""
    connection.settimeout(0)
    try:
        while connection.recv(65_536):
            pass
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        pass
    return False


@pytest.fixture
def attack(serving: LocalServers) -> Iterator[Attack]:
    attack = Attack(serving)
    yield attack
    attack.close()


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.usefixtures("asker")
@pytest.mark.parametrize(
    ("sent", "tls"),
    [
        (b"", False),
        (b"", True),
        (HEAD, True),
        (HEAD + b"content-length: 1000\r\n\r\n{", True),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n", True),
        (b"GET /v2/health/live HTTP/1.1\r\nhost: localhost\r\n\r\n", True),
    ],
    ids=["no hello", "no request", "half a head", "half a body", "half a chunked body", "idle"],
)
def test_connections_that_send_no_more_are_closed(attack: Attack, sent: bytes, tls: bool) -> None:
    attack.open(ATTACKERS, sent, tls)
    wait_for(lambda: attack.still_open() == 0)


@pytest.mark.usefixtures("asker")
@pytest.mark.parametrize("sent", [HEAD + b"x-a: ", HEAD + b"content-length: 1000\r\n\r\n{"])
def test_connections_that_send_byte_by_byte_are_closed(attack: Attack, sent: bytes) -> None:
    attack.open(ATTACKERS, sent)

    def trickled() -> bool:
        attack.trickle()
        return attack.still_open() == 0

    wait_for(trickled)


@pytest.mark.usefixtures("asker")
def test_peer_with_too_many_connections_loses_the_newest(attack: Attack) -> None:
    attack.open(3 * MAX_CONNECTIONS, b"")
    wait_for(lambda: attack.still_open() <= MAX_CONNECTIONS)


@pytest.mark.usefixtures("asker")
def test_unfinished_uploads_hold_no_more_than_their_budget(
    attack: Attack, serving: LocalServers
) -> None:
    (worker,) = [process for process in psutil.process_iter() if _listens(process, serving)]
    before = worker.memory_info().rss
    attack.open(40, HEAD + b"content-length: 9000000\r\n\r\n" + b" " * 5_000_000)

    held = worker.memory_info().rss - before

    assert held < 3 * MAX_BYTES_IN_FLIGHT  # of 200 MB that are sent
    wait_for(lambda: attack.still_open() == 0)


def _listens(process: psutil.Process, replica: LocalServers) -> bool:
    with suppress(psutil.Error):
        return any(
            each.status == psutil.CONN_LISTEN and each.laddr.port == replica.settings.serving.port
            for each in process.net_connections("tcp")
        )
    return False

"""What an attacker sends to a whole stack, and what becomes of it."""

import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Protocol

from tests.adversarial.bodies import (
    CSV,
    JSON,
    PARQUET,
    body,
    csv_of_one_name,
    gzip_of_spaces,
    parquet_of_a_long_text,
    sparse,
    tensor_of_large_numbers,
    unlike,
)
from tests.adversarial.listener import PATIENCE, Listener, with_headers

CLOSED, OPEN, ABORTED = "closed", "open", "aborted"
"""What becomes of a request that gets no answer: by the server, at the end, by the attacker."""

CONNECTIONS = 4
"""On which costly requests are sent at a time, one after the other."""

OPENERS = 16
"""Threads that open connections which then stay as they are."""

FOREVER, ENDLESS = -1, -2
"""Values of `x` on which `MODEL_OF_CODE` hangs, or grows."""

MODEL_OF_CODE = f"""
import time
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

class Model(PythonModel):
    def predict(self, context, model_input, params=None):
        for value in model_input["x"]:
            taken = []
            while value in ({FOREVER}, {ENDLESS}):
                time.sleep(0.01)
                if value == {ENDLESS}:
                    taken.append(b"x" * 50_000_000)
        return [1] * len(model_input)

set_model(Model())
"""

Answers = Counter[str]
"""How often a request got each status, or what else became of it."""


class Attack(Protocol):
    """One kind of attack."""

    @property
    def name(self) -> str: ...

    @property
    def documented(self) -> frozenset[str]:
        """What docs/serving-api.md says that its requests get."""

    def run(self, listener: Listener, model: str, seconds: float) -> Answers:
        """Attack for so long, or until the server has ended it."""


@dataclass(frozen=True)
class Costly:
    """Requests that are small beside what they would cost."""

    name: str
    make: Callable[[], bytes]
    content_type: str = JSON
    path: str = "/invocations"
    headers: dict[str, str] = field(default_factory=dict)
    documented: frozenset[str] = frozenset({"400", "413"})
    connections: int = CONNECTIONS

    def run(self, listener: Listener, model: str, seconds: float) -> Answers:
        """Ask again and again on a few connections."""
        sent, path = self.make(), self.path.format(model=model)
        headers = {"content-type": self.content_type, **listener.headers, **self.headers}

        def ask(deadline: float) -> Answers:
            answers = Answers()
            with _kept(listener) as connection:
                while not answers or time.monotonic() < deadline:
                    answers[_status(connection(), path, sent, headers)] += 1
            return answers

        return _together(ask, [time.monotonic() + seconds] * self.connections)


@dataclass(frozen=True)
class Unfinished:
    """Connections, opened at once, on which something is sent and then nothing any more."""

    name: str
    count: int
    sent: bytes
    documented: frozenset[str] = frozenset({"408", CLOSED})

    def run(self, listener: Listener, model: str, seconds: float) -> Answers:  # noqa: ARG002
        """Open all of them, and wait until the server has closed each."""
        with ExitStack() as opened, ThreadPoolExecutor(OPENERS) as threads:
            connections = threads.map(lambda _: self._open(listener), range(self.count))
            kept = [opened.enter_context(each) for each in connections if each]
            answers = Answers(_end_of(each, time.monotonic() + PATIENCE) for each in kept)
        refused = self.count - answers.total()
        return answers + Answers({CLOSED: refused})

    def _open(self, listener: Listener) -> ssl.SSLSocket | None:
        try:
            connection = listener.connect()
        except OSError:
            return None
        with suppress(OSError):  # it may be closed, or not read any more
            connection.settimeout(5)
            connection.sendall(with_headers(self.sent, listener.headers))
        return connection


@dataclass(frozen=True)
class Aborted:
    """Uploads that the client breaks off, one after the other."""

    name: str
    sent: bytes
    documented: frozenset[str] = frozenset({ABORTED})

    def run(self, listener: Listener, model: str, seconds: float) -> Answers:  # noqa: ARG002
        """Begin uploads on a few connections, and close each."""

        def abort(deadline: float) -> Answers:
            answers = Answers()
            while not answers or time.monotonic() < deadline:
                with listener.connect() as connection, suppress(OSError):
                    connection.sendall(with_headers(self.sent, listener.headers))
                answers[ABORTED] += 1
            return answers

        return _together(abort, [time.monotonic() + seconds] * CONNECTIONS)


def upload(declared: int, sent: int) -> bytes:
    """Return the head of a request, and so many bytes of its body."""
    head = "POST /invocations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {declared}\r\n\r\n".encode() + b" " * sent


LONG_TEXT = "x" * 524_288

ATTACKS: tuple[Attack, ...] = (
    Costly("a shape of large numbers", tensor_of_large_numbers, path="/v2/models/{model}/infer"),
    Costly("Parquet of GBs", parquet_of_a_long_text, PARQUET),
    Costly("12 000 records of unlike names", lambda: body(dataframe_records=unlike(12_000))),
    Costly("6.4 MB of sparse records", lambda: body(dataframe_records=sparse(550_000))),
    Costly("a text of 524 KB", lambda: body(inputs=[[LONG_TEXT], *[["a"]] * 2_000])),
    Costly("a CSV header of one name", csv_of_one_name, CSV),
    Costly(
        "a gzip bomb",
        gzip_of_spaces,
        headers={"content-encoding": "gzip"},
    ),
    Aborted("aborted uploads", upload(declared=9_000_000, sent=1_000_000)),
    Unfinished("400 unfinished bodies", 400, upload(declared=1_000, sent=1)),
    Unfinished(
        "100 unfinished large uploads",
        100,
        upload(declared=9_500_000, sent=9_000_000),
        frozenset({"408", "502", "503", CLOSED}),
    ),
    Unfinished("1024 silent connections", 1024, b""),
)

ATTACKS_ON_CODE: tuple[Attack, ...] = (
    Costly(
        "a row on which the model grows",
        lambda: body(dataframe_records=[{"x": ENDLESS}]),
        documented=frozenset({"413"}),
        connections=1,
    ),
    Costly(
        "a row on which the model hangs",
        lambda: body(dataframe_records=[{"x": FOREVER}]),
        documented=frozenset({"504"}),
        connections=1,
    ),
)
"""On `MODEL_OF_CODE`."""


@contextmanager
def _kept(listener: Listener) -> Iterator[Callable[[], HTTPConnection]]:
    """Yield what returns one connection as long as it is open, then another."""
    connections = [listener.speak_http()]

    def current() -> HTTPConnection:
        if connections[-1].sock is None:
            connections.append(listener.speak_http())
        return connections[-1]

    try:
        yield current
    finally:
        connections[-1].close()


def _status(connection: HTTPConnection, path: str, sent: bytes, headers: dict[str, str]) -> str:
    """Return the status of the answer, or that there was none."""
    with suppress(OSError):  # it may answer before all is sent
        connection.request("POST", path, sent, headers)
    try:
        response = connection.getresponse()
        response.read()
    except (OSError, HTTPException):
        connection.close()
        return CLOSED
    return str(response.status)


def _end_of(connection: ssl.SSLSocket, deadline: float) -> str:
    """Return the status that is answered before the connection is closed, if there is one."""
    received = b""
    try:
        while True:
            connection.settimeout(max(0.01, deadline - time.monotonic()))
            if not (piece := connection.recv(65_536)):
                break
            received += piece
    except TimeoutError:
        return OPEN
    except OSError:
        pass
    return received[9:12].decode() if received else CLOSED


def _together(work: Callable[[float], Answers], deadlines: list[float]) -> Answers:
    with ThreadPoolExecutor(len(deadlines)) as threads:
        return sum(threads.map(work, deadlines), Answers())

"""Clients that keep asking over a kept connection each, and hold every answer against its version.

Only what a client needs is imported: each is a process of its own.
"""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from itertools import cycle
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from queue import Empty
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from terna.erp.connection import Connection, authorization, tls_context
from terna.erp.exchange import JSON
from terna.errors import TernaError

PATIENCE = 30
"""Seconds after which a request without an answer has failed."""
PAUSE = 0.05
"""Seconds to wait after a failure: a server that is down is not asked a thousand times a second."""
REPORT = 0.25
"""Seconds between two tallies of a client."""
LEAVE = 2 * PATIENCE
SOON = 0.01
"""Seconds that a tally may take from the queue's pipe."""
GIVE_WAY = 5
"""How nice clients are: whom they ask shares the cores with them."""
BAD_GATEWAY = 502
"""Serving never answers this: the reverse proxy does where serving ends a connection."""
FEW = 5
"""How many failures are told in words."""


class Verdict(Enum):
    """What one answer is."""

    GOOD = "good"
    MIXED_UP = "mixed up"
    """Not what the version that it names answers for these rows."""
    LOST = "lost"
    """The connection ended before the response did, or the reverse proxy's own connection did."""
    FAILED = "failed"


class Question(NamedTuple):
    """One request, and what each version answers to it."""

    body: bytes
    predictions: Mapping[str, Sequence[Any]]
    """By the version's number."""


class Answer(NamedTuple):
    """What came back, whole."""

    status: int
    version: str
    """As the header says; empty where it says nothing."""
    body: bytes


class Lost(NamedTuple):
    """A request whose response was lost, on the machine's monotonic clock."""

    asked: float
    ended: float
    words: str


def verdict_of(question: Question, answer: Answer) -> Verdict:
    """Return whether a response is all of the version that it names."""
    if answer.status == BAD_GATEWAY:
        return Verdict.LOST
    expected = question.predictions.get(answer.version)
    if answer.status != 200 or expected is None:
        return Verdict.FAILED
    return Verdict.GOOD if _read(answer.body) == {"predictions": expected} else Verdict.MIXED_UP


@dataclass
class Tally:
    """What came of some requests."""

    good: Counter[str] = field(default_factory=Counter)
    """By the version that answered."""
    mixed_up: int = 0
    failed: int = 0
    lost: list[Lost] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    """What was wrong with the first that were mixed up or failed."""
    at: float = 0.0
    """When it was closed, on the machine's monotonic clock."""

    @property
    def requests(self) -> int:
        """How many there were."""
        return self.good.total() + self.mixed_up + self.failed + len(self.lost)

    def count(self, verdict: Verdict, version: str, words: str, asked: float) -> None:
        """Count one request, which ends now."""
        if verdict is Verdict.GOOD:
            self.good[version] += 1
            return
        if verdict is Verdict.LOST:
            self.lost.append(Lost(asked, time.monotonic(), f"{verdict.value}: {words}"))
            return
        self.mixed_up += verdict is Verdict.MIXED_UP
        self.failed += verdict is Verdict.FAILED
        self.words = [*self.words, f"{verdict.value}: {words}"][:FEW]

    def add(self, other: "Tally") -> None:
        """Add another tally's counts."""
        self.good += other.good
        self.mixed_up += other.mixed_up
        self.failed += other.failed
        self.lost += other.lost
        self.words = [*self.words, *other.words][:FEW]


class Client:
    """Asks one question after another over one connection.

    The connection is made anew where the server has announced its end, as HTTP has it, and after a
    failure. No question is asked twice: one without an answer has failed.
    """

    def __init__(
        self,
        connection: HTTPConnection,
        path: str,
        headers: Mapping[str, str],
        questions: Sequence[Question],
    ) -> None:
        self._connection = connection
        self._path = path
        self._headers = headers
        self._questions = cycle(questions)
        self._tally = Tally()

    def ask(self) -> Verdict:
        """Ask the next question, and count what came of it."""
        question, version, asked = next(self._questions), "", time.monotonic()
        try:
            answer = self._answer(question.body)
        except (OSError, HTTPException) as error:
            self._connection.close()
            verdict = Verdict.FAILED if isinstance(error, TimeoutError) else Verdict.LOST
            words = f"{type(error).__name__}: {error}"
        else:
            verdict, version = verdict_of(question, answer), answer.version
            words = f"{answer.status}, version {answer.version or '?'}, {answer.body[:200]!r}"
        self._tally.count(verdict, version, words, asked)
        return verdict

    def taken(self) -> Tally:
        """Return what came of the requests since this was last called."""
        taken, self._tally = self._tally, Tally()
        taken.at = time.monotonic()
        return taken

    def _answer(self, body: bytes) -> Answer:
        self._connection.request("POST", self._path, body, self._headers)
        response = self._connection.getresponse()
        version = response.getheader("x-model-version", "")
        return Answer(response.status, version, response.read())


@dataclass(frozen=True)
class Target:
    """Where clients ask, and with which certificates and API key."""

    connection: Connection

    def client(self, questions: Sequence[Question]) -> Client:
        """Return a client with a connection of its own."""
        url = urlsplit(self.connection.endpoint)
        trust = tls_context(self.connection)
        connection = HTTPSConnection(url.hostname or "", url.port, timeout=PATIENCE, context=trust)
        return Client(connection, url.path, JSON | authorization(self.connection), questions)


class Load:
    """Clients that ask between `with` and its end, a process each."""

    def __init__(self, target: Target, questions: Sequence[Question], clients: int) -> None:
        spawned = get_context("spawn")
        self._stop = spawned.Event()
        self._tallies: Queue[Tally] = spawned.Queue()
        self._processes = [
            spawned.Process(
                target=_keep_asking,
                args=(target, _begun(questions, number / clients), self._tallies, self._stop),
                daemon=True,
            )
            for number in range(clients)
        ]

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for process in self._processes:
            process.kill()
            process.join()

    def taken(self) -> list[Tally]:
        """Return the tallies that have come in since this was last called.

        Raises:
            TernaError: a client has ended, and what it asked is not counted.
        """
        if any(process.exitcode for process in self._processes):
            raise TernaError("a client of the soak has ended by itself.")
        return self._waiting()

    def stopped(self) -> list[Tally]:
        """Return the last tallies, once every client has its last answer."""
        self._stop.set()
        tallies, deadline = [], time.monotonic() + LEAVE
        while any(process.is_alive() for process in self._processes):
            # One whose tallies nobody takes does not end.
            tallies += self._waiting()
            if time.monotonic() > deadline:
                raise TernaError(f"a client of the soak does not end in {LEAVE} s.")
        return [*tallies, *self.taken()]

    def _waiting(self) -> list[Tally]:
        tallies = []
        with suppress(Empty):
            while True:
                tallies.append(self._tallies.get(timeout=SOON))
        return tallies


def _begun(questions: Sequence[Question], share: float) -> list[Question]:
    """Return the same requests, from another one on: no two clients ask the same at once."""
    first = round(share * len(questions))
    return [*questions[first:], *questions[:first]]


def _keep_asking(
    target: Target, questions: Sequence[Question], tallies: "Queue[Tally]", stop: Event
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches who started this, too
    os.nice(GIVE_WAY)
    client, parent = target.client(questions), os.getppid()
    while not stop.is_set() and os.getppid() == parent:
        report = time.monotonic() + REPORT
        while time.monotonic() < report:
            if client.ask() is not Verdict.GOOD:
                time.sleep(PAUSE)
        tallies.put(client.taken())


def _read(body: bytes) -> Any:
    """Return the JSON of a body; None where it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return None

"""A well-behaved client, which asks beside an attack.

Only what it needs is imported: it is a process of its own.
"""

import multiprocessing
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event

from tests.adversarial.listener import Listener

INTERVAL = 0.05
"""Seconds between two requests."""

JSON = {"content-type": "application/json"}
PATIENCE = 10
"""Seconds that it waits for an answer."""


@dataclass
class Seen:
    """What a client saw."""

    seconds: list[float] = field(default_factory=list)
    """From when each request was due to its answer: one that waits for another is late as well."""
    failures: list[str] = field(default_factory=list)


class Client:
    """A well-behaved client: a process that asks 20 times a second on a connection that is kept."""

    def __init__(self, listener: Listener, body: bytes) -> None:
        spawned = multiprocessing.get_context("spawn")
        self._results, theirs = spawned.Pipe(duplex=False)
        self._stop = spawned.Event()
        self._process = spawned.Process(
            target=_keep_asking, args=(listener, body, theirs, self._stop), daemon=True
        )
        self.seen = Seen()

    def __enter__(self) -> "Client":
        """Return once it asks."""
        self._process.start()
        self._results.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._results.poll(3 * PATIENCE):
            self.seen = self._results.recv()
        self._process.kill()
        self._process.join()


def _keep_asking(listener: Listener, body: bytes, results: Connection, stop: Event) -> None:
    seen, connection = Seen(), listener.speak_http(PATIENCE)
    headers = JSON | listener.headers
    results.send(None)
    due = time.monotonic()
    while not stop.wait(max(0, due - time.monotonic())):
        try:
            failure = _ask(connection, body, headers)
        except (OSError, HTTPException) as error:
            failure = repr(error)
            connection.close()
            with suppress(OSError):
                connection = listener.speak_http(PATIENCE)
        seen.seconds.append(time.monotonic() - due)
        seen.failures += [failure] if failure else []
        due += INTERVAL
    results.send(seen)


def _ask(connection: HTTPConnection, body: bytes, headers: dict[str, str]) -> str:
    """Return what went wrong; empty when nothing did."""
    connection.request("POST", "/invocations", body, headers)
    response = connection.getresponse()
    answer = response.read()
    return "" if response.status == 200 else f"{response.status} {answer[:200]!r}"

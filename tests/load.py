"""Requests at a steady rate, whatever becomes of them, while something else happens."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import cycle
from threading import Event, Thread
from typing import Any

import httpx

from terna.erp.client import Client
from terna.erp.from_settings import connection_of
from terna.errors import TernaError
from terna.settings import Erp
from tests.clients import client_of

PER_SECOND = 20
PATIENCE = 60
"""Seconds that an answer may take: longer than anything that answers late."""
AT_ONCE = 100
"""Requests that may wait for their answers: all that are asked within some seconds."""


@dataclass
class Outcome:
    """What came of the requests."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)
    """Why, a line each."""

    def count(self, ask: Callable[[], object]) -> None:
        try:
            ask()
        except (TernaError, httpx.HTTPError) as error:
            self.failed.append(f"{error!r} ({error.__cause__!r})")
        else:
            self.answered += 1


@contextmanager
def load(erp: Erp, row: Sequence[Any]) -> Iterator[Outcome]:
    """Ask as the ERP's client does: every other request on a kept connection, else on a new one.

    A request that a busy server sends back has failed.
    """
    connection = replace(connection_of(erp), timeout_seconds=PATIENCE, deadline_seconds=0)

    def ask_anew() -> None:
        with Client(connection) as another:
            another.predict([row])

    with Client(connection) as kept, _asking(lambda: kept.predict([row]), ask_anew) as outcome:
        yield outcome


@contextmanager
def load_without_retries(erp: Erp, row: Sequence[Any]) -> Iterator[Outcome]:
    """Ask on kept connections, and never twice."""
    body, headers = json.dumps({"inputs": [row]}), {"content-type": "application/json"}
    with client_of(erp, timeout=PATIENCE) as client:

        def ask() -> None:
            client.post(erp.endpoint, content=body, headers=headers).raise_for_status()

        with _asking(ask) as outcome:
            yield outcome


@contextmanager
def _asking(*asks: Callable[[], object]) -> Iterator[Outcome]:
    """Call these in turn in the background, until the block is left."""
    outcome, over = Outcome(), Event()

    def run() -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            due = time.monotonic()
            for ask in cycle(asks):
                if over.is_set():
                    return
                pool.submit(outcome.count, ask)
                due += 1 / PER_SECOND
                over.wait(max(0.0, due - time.monotonic()))

    thread = Thread(target=run)
    thread.start()
    try:
        yield outcome
    finally:
        over.set()
        thread.join()

"""Requests at a steady rate, as the ERP's client sends them, while something else happens."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

from terna.erp.client import Client
from terna.errors import TernaError
from terna.settings import Erp

PER_SECOND = 20


@dataclass
class Outcome:
    """What came of the requests."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)
    """Why, a line each."""

    def count(self, ask: Callable[[], object]) -> None:
        try:
            ask()
        except TernaError as error:
            self.failed.append(f"{error} ({error.__cause__!r})")
        else:
            self.answered += 1


@contextmanager
def load(erp: Erp, row: Sequence[Any], per_second: float = PER_SECOND) -> Iterator[Outcome]:
    """Ask in the background: every other request on one kept connection, else on a new one."""
    outcome, over = Outcome(), Event()

    def run() -> None:
        with Client(erp) as kept:

            def ask_anew() -> None:
                with Client(erp) as another:
                    another.predict([row])

            asks, due = (lambda: kept.predict([row]), ask_anew), time.monotonic()
            while not over.is_set():
                outcome.count(asks[(outcome.answered + len(outcome.failed)) % 2])
                due += 1 / per_second
                time.sleep(max(0.0, due - time.monotonic()))

    thread = Thread(target=run)
    thread.start()
    try:
        yield outcome
    finally:
        over.set()
        thread.join()

"""A client that asks at a steady rate, whatever becomes of its requests."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import httpx

from terna.settings import Erp
from tests.clients import client_of
from tests.e2e.customers import holdout_rows

A_SECOND = 20
PATIENCE = 60
"""Seconds that the client waits for an answer: longer than anything that answers late."""


@dataclass
class Answers:
    """How many requests ended how: by their status, or by the name of httpx's error."""

    counts: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> dict[str, int]:
        return {end: count for end, count in self.counts.items() if end != "200"}


@contextmanager
def asking_steadily(erp: Erp) -> Iterator[Answers]:
    """Ask for one customer's label twenty times a second, until the block is left."""
    answers, enough = Answers(), Event()
    body = json.dumps({"inputs": holdout_rows(1)}).encode()
    with client_of(erp, timeout=PATIENCE) as client, ThreadPoolExecutor(100) as pool:

        def ask() -> None:
            try:
                answer = client.post(erp.endpoint, content=body, headers=JSON)
                answers.counts[str(answer.status_code)] += 1
            except httpx.HTTPError as error:
                answers.counts[type(error).__name__] += 1

        def go_on() -> None:
            due = time.monotonic()
            while not enough.is_set():
                pool.submit(ask)
                due += 1 / A_SECOND
                enough.wait(max(0.0, due - time.monotonic()))

        asking = Thread(target=go_on)
        asking.start()
        try:
            yield answers
        finally:
            enough.set()
            asking.join()


JSON = {"content-type": "application/json"}

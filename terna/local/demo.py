"""The whole journey on one machine: a table of customers in, labels over HTTPS out."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from terna.contracts.version import Version
from terna.erp.client import Client, Predictions
from terna.errors import ServingUnreachable
from terna.local.servers import LocalServers
from terna.progress import Reporter
from terna.training import pipeline
from terna.training.job import Job, TrainingRequest
from terna.training.prepare import Features
from terna.training.publish import PublishResult
from terna.training.session import Session

BATCH = 500
"""Customers asked for in one request."""
PATIENCE = 60
"""Seconds for serving to follow a promotion."""


@dataclass(frozen=True)
class Story:
    """What happened."""

    request: TrainingRequest
    published: PublishResult
    metrics: dict[str, float]
    """Of the hold-out, by `evaluate`."""
    customers: list[list[Any]]
    """The hold-out's raw feature values, in the signature's order."""
    actual: list[Any]
    answer: Predictions
    """For each of the customers."""
    seconds: dict[str, float]

    @property
    def first_row(self) -> int:
        """The first customer's row in the table, where the hold-out is a range of rows."""
        start = re.match(r"(\d+)-", self.request.holdout)
        return int(start[1]) if start else 1


class Stopwatch:
    """How long each part took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[part] = round(time.monotonic() - started, 2)


def run(replica: LocalServers, reporter: Reporter, request: TrainingRequest, trials: int) -> Story:
    """Train, promote, and ask for every hold-out customer's label.

    Raises:
        ServingUnreachable: serving did not follow the promotion in time.
    """
    stopwatch = Stopwatch()
    session = Session.open(replica.settings.serving.model, replica.settings, reporter)
    with stopwatch.timing("total"):
        with stopwatch.timing("training"):
            published = pipeline.train(session, request, trials)
        customers, actual = _holdout(session)
        with Client(replica.settings.erp) as labels:
            with stopwatch.timing("promotion"):
                _wait_for(labels, _in_production(published), replica, reporter)
            with stopwatch.timing("labels"):
                answer = _ask_for_all(labels, customers)
    metrics = session.workspace.read_document("metrics.json", "evaluate")
    return Story(request, published, metrics, customers, actual, answer, stopwatch.seconds)


def _holdout(session: Session) -> tuple[list[list[Any]], list[Any]]:
    """The held-out customers as an ERP knows them, null where it does not, and their labels."""
    table = session.workspace.read_table("holdout.parquet", "acquire")
    rows = table[list(Features.read(session.workspace).order)].astype(object)
    target = Job.read(session.workspace).target
    return rows.where(rows.notna(), None).to_numpy().tolist(), table[target].tolist()


def _in_production(published: PublishResult) -> Version:
    if published.promoted or published.production is None:
        return published.version
    return published.production


def _wait_for(labels: Client, version: Version, replica: LocalServers, reporter: Reporter) -> None:
    deadline = time.monotonic() + PATIENCE
    with reporter.step(f"waiting for {version} to answer"):
        replica.wait("serving")
        while labels.version() != version.number:
            if time.monotonic() > deadline:
                raise ServingUnreachable(f"Serving did not follow to {version} in {PATIENCE} s.")
            time.sleep(0.2)


def _ask_for_all(labels: Client, customers: list[list[Any]]) -> Predictions:
    answers = [labels.ask(customers[i : i + BATCH]) for i in range(0, len(customers), BATCH)]
    together = [label for answer in answers for label in answer.labels]
    return Predictions(together, answers[-1].model, answers[-1].version)

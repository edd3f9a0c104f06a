"""The whole journey on one machine: a table of customers in, labels over HTTPS out."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from terna.contracts.version import Version
from terna.erp.client import Client, Predictions
from terna.erp.from_settings import connection_of
from terna.errors import ServingUnreachable
from terna.local.servers import LocalServers
from terna.progress import Reporter
from terna.training import made_up, pipeline
from terna.training.job import Job, TrainingRequest
from terna.training.prepare import Features, model_inputs
from terna.training.publish import PublishResult
from terna.training.session import Session

PROMOTION_SECONDS = 60
"""How long serving has to follow a promotion."""


@dataclass(frozen=True)
class DemoResult:
    """What the demo trained, published and was answered."""

    request: TrainingRequest
    published: PublishResult
    metrics: dict[str, float]
    """Of the hold-out, by `evaluate`."""
    columns: list[str]
    """The names of the features."""
    customers: list[list[Any]]
    """The hold-out's raw feature values, in the order of the model's schema."""
    example: list[Any]
    """A customer whom nobody knows: the features of a request to try."""
    actual: list[Any]
    """The label that each of the customers really has."""
    predictions: Predictions
    """The label that serving gives each of the customers."""
    seconds: dict[str, float]
    """How long each part took."""

    @property
    def first_row(self) -> int:
        """The first customer's row in the table, where the hold-out is a range of rows."""
        start = re.match(r"(\d+)-", self.request.holdout)
        return int(start[1]) if start else 1


class Timings:
    """How long each part took, in seconds."""

    def __init__(self) -> None:
        """Start without any part."""
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        """Measure a `with` block, and keep its time under the name `part`."""
        started = time.monotonic()
        yield
        self.seconds[part] = round(time.monotonic() - started, 2)


def run(
    servers: LocalServers, reporter: Reporter, request: TrainingRequest, trials: int
) -> DemoResult:
    """Train, promote, and ask for every hold-out customer's label.

    Raises:
        ServingUnreachable: serving did not follow the promotion in time.
    """
    timings = Timings()
    session = Session.open(servers.settings.serving.model, servers.settings, reporter)
    with timings.measure("total"):
        with timings.measure("training"):
            published = pipeline.train(session, request, trials)
        columns, customers, example, actual = _holdout(session)
        with Client(connection_of(servers.settings.erp)) as client:
            with timings.measure("promotion"):
                wait_for(client, _in_production(published), servers, reporter)
            with timings.measure("labels"):
                predictions = labels_of(client, customers)
    metrics = session.workspace.read_document("metrics.json", "evaluate")
    return DemoResult(
        request=request,
        published=published,
        metrics=metrics,
        columns=columns,
        customers=customers,
        example=example,
        actual=actual,
        predictions=predictions,
        seconds=timings.seconds,
    )


def wait_for(client: Client, version: Version, servers: LocalServers, reporter: Reporter) -> None:
    """Return when serving answers by the version.

    Raises:
        ServingUnreachable: it does not in time.
    """
    deadline = time.monotonic() + PROMOTION_SECONDS
    with reporter.step(f"waiting for {version} to answer"):
        servers.wait("serving")
        while client.version() != version.number:
            if time.monotonic() > deadline:
                raise ServingUnreachable(
                    f"Serving did not follow to {version} in {PROMOTION_SECONDS} s."
                )
            time.sleep(0.2)


def labels_of(client: Client, customers: list[list[Any]]) -> Predictions:
    """Return the label of each customer, and the version that gave the last ones."""
    batches = list(client.predict_in_batches(customers))
    return replace(batches[-1], labels=[label for batch in batches for label in batch.labels])


def _holdout(session: Session) -> tuple[list[str], list[list[Any]], list[Any], list[Any]]:
    """Return the features' names, the held-out customers, a made-up one, and their labels."""
    table = session.workspace.read_table("holdout.parquet", "acquire")
    inputs = model_inputs(table, Features.read(session.workspace))
    (example,) = _as_sent(made_up.example_row(inputs))
    target = Job.read(session.workspace).target
    return list(inputs.columns), _as_sent(inputs), example, table[target].tolist()


def _as_sent(rows: pd.DataFrame) -> list[list[Any]]:
    """Return the rows with null where something is not known."""
    cells = rows.astype(object)
    return list(cells.where(rows.notna(), None).to_numpy().tolist())


def _in_production(published: PublishResult) -> Version:
    if published.promoted or published.production is None:
        return published.version
    return published.production

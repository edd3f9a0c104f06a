"""The whole journey on one machine: a table of customers in, labels over HTTPS out."""

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from terna.contracts.errors import ServingUnreachable
from terna.embedded.replica import Replica
from terna.erp.labels import Labelled, Labels
from terna.progress import Reporter
from terna.registry import Version
from terna.settings import Settings
from terna.training import pipeline
from terna.training.acquire import CHURN_FEATURES, CHURN_REQUEST
from terna.training.publish import Published
from terna.training.session import Session

NAME = "rfc_tune"
REFERENCE = {"f1": 0.788, "precision": 0.971, "recall": 0.66}
"""The published figures for these customers and features."""
FIRST_HOLDOUT_ROW = 3334
SHOWN = 3
BATCH = 500
PATIENCE = 60
"""Seconds for serving to follow a promotion."""


@dataclass(frozen=True)
class Story:
    """What happened, for people and for `--json`."""

    metrics: dict[str, float]
    published: Published
    holdout: pd.DataFrame
    answer: Labelled
    seconds: dict[str, float]


class Stopwatch:
    """How long each part took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[part] = round(time.monotonic() - started, 2)


def run(replica: Replica, reporter: Reporter, trials: int) -> Story:
    """Train, promote, and ask for every hold-out customer's label.

    Raises:
        ServingUnreachable: serving did not follow the promotion in time.
    """
    stopwatch = Stopwatch()
    session = Session.open(NAME, replica.settings, reporter)
    with stopwatch.timing("total"):
        with stopwatch.timing("training"):
            published = pipeline.train(session, CHURN_REQUEST, trials)
        holdout = session.workspace.read_table("holdout.parquet", "acquire")
        with Labels(replica.settings.erp) as labels:
            with stopwatch.timing("promotion"):
                _wait_for(labels, _in_production(published), replica, reporter)
            with stopwatch.timing("labels"):
                answer = _ask_for_all(labels, _customers(holdout))
    metrics = session.workspace.read_document("metrics.json", "evaluate")
    return Story(metrics, published, holdout, answer, stopwatch.seconds)


def facts(story: Story, settings: Settings) -> dict[str, Any]:
    """The story for machines."""
    return {
        "holdout": story.metrics,
        "model": {
            "name": story.answer.model,
            "version": story.answer.version,
            "registered": story.published.version.number,
            "promoted": story.published.promoted,
        },
        "endpoint": settings.erp.endpoint,
        "ca": str(settings.erp.ca),
        "tracking": settings.tracking.uri,
        "predictions": story.answer.labels,
        "seconds": story.seconds,
    }


def tell(story: Story, settings: Settings, console: Console) -> None:
    """The story for people."""
    answer = story.answer
    console.print()
    console.print(_comparison(story))
    console.print(_examples(story))
    console.print(
        f"[bold]{answer.model} version {answer.version}[/] labelled"
        f" {len(answer.labels)} customers over HTTPS in {story.seconds['labels']:.1f} s.\n",
        highlight=False,
    )
    report = settings.training.folder / NAME / "explore.html"
    for line in (
        f"EDA report  {_shown(report)}",
        f"MLflow UI   {settings.tracking.uri}  (of the CA {_shown(settings.tracking.ca)})",
        f"\n{curl(settings, _customers(story.holdout)[_worth_showing(answer.labels)[-1]])}",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def curl(settings: Settings, customer: list[Any]) -> str:
    """A command line that asks for one customer's label; works where it is printed."""
    body = json.dumps({"inputs": [customer]})
    return (
        f"curl --cacert {shlex.quote(_shown(settings.erp.ca))} {settings.erp.endpoint} \\\n"
        f"  -H 'content-type: application/json' -d '{body}'"
    )


def _shown(path: Path) -> str:
    """Short where the reader stands in the checkout."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _in_production(published: Published) -> Version:
    if published.promoted or published.production is None:
        return published.version
    return published.production


def _wait_for(labels: Labels, version: Version, replica: Replica, reporter: Reporter) -> None:
    deadline = time.monotonic() + PATIENCE
    with reporter.step(f"waiting for {version} to answer"):
        replica.wait("serving")
        while labels.version() != version.number:
            if time.monotonic() > deadline:
                raise ServingUnreachable(f"Serving did not follow to {version} in {PATIENCE} s.")
            time.sleep(0.2)


def _customers(holdout: pd.DataFrame) -> list[list[Any]]:
    """The customers' raw feature values."""
    return holdout[list(CHURN_FEATURES)].astype(object).to_numpy().tolist()


def _ask_for_all(labels: Labels, customers: list[list[Any]]) -> Labelled:
    answers = [labels.ask(customers[i : i + BATCH]) for i in range(0, len(customers), BATCH)]
    together = [label for answer in answers for label in answer.labels]
    return Labelled(together, answers[-1].model, answers[-1].version)


def _comparison(story: Story) -> Table:
    table = Table(title="1667 customers that training never saw", title_justify="left")
    for heading in ("", "F1", "precision", "recall"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("this model", *(f"[bold]{story.metrics[k]:.3f}[/]" for k in REFERENCE))
    table.add_row("published reference", *(f"{value:.3f}" for value in REFERENCE.values()))
    return table


def _examples(story: Story) -> Table:
    table = Table(title="Three of them", title_justify="left")
    for heading in ("customer", "will leave?", "did leave?"):
        table.add_column(heading, justify="right")
    for row in _worth_showing(story.answer.labels):
        number = str(FIRST_HOLDOUT_ROW + row)
        table.add_row(number, str(story.answer.labels[row]), story.holdout["churn"].iloc[row])
    return table


def _worth_showing(labels: list[Any]) -> list[int]:
    """The first customer and the first two that the model expects to leave."""
    leaving = [row for row, label in enumerate(labels) if label == "yes"]
    return sorted({0, *leaving[: SHOWN - 1]})

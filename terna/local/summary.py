"""What the demo tells in the end: to people, and to machines."""

import json
import shlex
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from terna.local.demo import Story
from terna.settings import Settings
from terna.training.job import CHURN_REQUEST

REFERENCE = {"f1": 0.788, "precision": 0.971, "recall": 0.66}
"""The published figures for the churn customers with the same features and hold-out."""
SHOWN = 3


def facts(story: Story, settings: Settings) -> dict[str, Any]:
    """The story for machines: `holdout` is of the version registered, `predictions` are of
    the one that answers; they are the same unless it was not promoted."""
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
    answer, shown = story.answer, worth_showing(story.answer.labels)
    console.print()
    console.print(_figures(story))
    console.print(_examples(story, shown))
    console.print(
        f"[bold]{answer.model} version {answer.version}[/] labelled"
        f" {len(answer.labels)} customers over HTTPS in {story.seconds['labels']:.1f} s.\n",
        highlight=False,
    )
    report = settings.training.workspace_dir / answer.model / "explore.html"
    for line in (
        f"EDA report  {_short(report)}",
        f"MLflow UI   {settings.tracking.uri}  (trust {_short(settings.tracking.ca)} first)",
        f"\n{curl(settings, story.customers[shown[-1]])}",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def curl(settings: Settings, customer: list[Any]) -> str:
    """A command line that asks for one customer's label; works where it is printed."""
    body = json.dumps({"inputs": [customer]})
    return (
        f"curl --cacert {shlex.quote(_short(settings.erp.ca))} {settings.erp.endpoint} \\\n"
        f"  -H 'content-type: application/json' -d {shlex.quote(body)}"
    )


def worth_showing(labels: list[Any]) -> list[int]:
    """A few rows with as many different labels as there are, in the order in which they stand."""
    first_of_each = {label: row for row, label in reversed(list(enumerate(labels)))}
    rows = dict.fromkeys([*sorted(first_of_each.values()), *range(len(labels))])
    return sorted(list(rows)[:SHOWN])


def _figures(story: Story) -> Table:
    title = f"{len(story.customers)} customers that training never saw"
    table = Table(title=title, title_justify="left")
    for heading in ("", "F1", "precision", "recall"):
        table.add_column(heading, justify="right" if heading else "left")
    published = story.published
    name = f"version {published.version.number}"
    table.add_row(name, *(f"[bold]{story.metrics[k]:.3f}[/]" for k in REFERENCE))
    if not published.promoted and published.production and published.production_f1:
        before = f"version {published.production.number}, in production"
        table.add_row(before, f"{published.production_f1:.3f}")
    if story.request == CHURN_REQUEST:
        table.add_row("published reference", *(f"{value:.3f}" for value in REFERENCE.values()))
    return table


def _examples(story: Story, shown: list[int]) -> Table:
    table = Table(title="Three of them", title_justify="left")
    for heading in ("customer", f"{story.request.target}?", "in truth"):
        table.add_column(heading, justify="right")
    for row in shown:
        label, truth = story.answer.labels[row], story.actual[row]
        table.add_row(str(story.first_row + row), str(label), str(truth))
    return table


def _short(path: Path) -> str:
    """Relative where the reader stands in the checkout."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)

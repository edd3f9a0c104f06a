"""The demo's summary: as text for people, and as JSON for programs."""

import json
import shlex
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from terna.local.demo import DemoResult
from terna.local.erp import LocalErp
from terna.progress import printable
from terna.settings import Settings
from terna.training.job import CHURN_REQUEST

REFERENCE = {"f1": 0.788, "precision": 0.971, "recall": 0.66}
"""The published figures for the churn customers with the same features and hold-out."""

SHOWN = 3
"""How many customers the text shows."""


def summary_json(result: DemoResult, settings: Settings) -> dict[str, Any]:
    """Return the summary as a JSON document.

    `holdout` is about the version registered, `predictions` are of the one that answers; they are
    the same version unless it was not promoted.
    """
    return {
        "holdout": result.metrics,
        "model": {
            "name": result.predictions.model,
            "version": result.predictions.version,
            "registered": result.published.version.number,
            "promoted": result.published.promoted,
        },
        "endpoint": settings.erp.endpoint,
        "ca": str(settings.erp.ca),
        "tracking": settings.tracking.uri,
        "predictions": result.predictions.labels,
        "seconds": result.seconds,
    }


def print_summary(result: DemoResult, settings: Settings, console: Console) -> None:
    """Print the summary as text."""
    predictions, shown = result.predictions, rows_to_show(result.predictions.labels)
    console.print()
    console.print(_metrics_table(result))
    console.print(_customers_table(result, shown))
    console.print(
        f"[bold]{predictions.model} version {predictions.version}[/] labelled"
        f" {len(predictions.labels)} customers over HTTPS in {result.seconds['labels']:.1f} s.\n",
        highlight=False,
    )
    password = settings.tracking.logins_dir / "promoting"
    report = settings.training.workspace_dir / predictions.model / "explore.html"
    for line in (
        f"EDA report  {_short(report)}",
        f"MLflow UI   {settings.tracking.uri}  (trust {_short(settings.tracking.ca)} first)",
        f"            as promoting, with the password in {_short(password)}",
        f"\n{curl(settings, result.example)}",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def print_erp(erp: LocalErp, console: Console) -> None:
    """Print where the ERP is, and who logs in there."""
    for line in (
        f"\nERP         {erp.describe_web_client()}",
        f"            passwords are in {_short(erp.passwords)}",
        "            the first login sets a second factor up",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def curl(settings: Settings, customer: list[Any]) -> str:
    """Return a command line that asks for one customer's label, and works where it is printed."""
    erp, body = settings.erp, json.dumps({"inputs": [customer]})
    return (
        f"curl --cacert {_quoted(erp.ca)} --cert {_quoted(erp.certificate)}"
        f" --key {_quoted(erp.key)} \\\n"
        f'  -H "authorization: Bearer $(cat {_quoted(erp.api_key_file)})" {erp.endpoint} \\\n'
        f"  -H 'content-type: application/json' -d {shlex.quote(body)}"
    )


def rows_to_show(labels: list[Any]) -> list[int]:
    """Return up to `SHOWN` row numbers, in order, with as many different labels as there are."""
    first_of_each = {label: row for row, label in reversed(list(enumerate(labels)))}
    rows = dict.fromkeys([*sorted(first_of_each.values()), *range(len(labels))])
    return sorted(list(rows)[:SHOWN])


def _metrics_table(result: DemoResult) -> Table:
    title = f"{len(result.customers)} customers that training never saw"
    table = Table(title=title, title_justify="left")
    for heading in ("", "F1", "precision", "recall"):
        table.add_column(heading, justify="right" if heading else "left")
    published = result.published
    name = f"version {published.version.number}"
    table.add_row(name, *(f"[bold]{result.metrics[k]:.3f}[/]" for k in REFERENCE))
    if not published.promoted and published.production and published.production_f1:
        before = f"version {published.production.number}, in production"
        table.add_row(before, f"{published.production_f1:.3f}")
    if result.request == CHURN_REQUEST:
        table.add_row("published reference", *(f"{value:.3f}" for value in REFERENCE.values()))
    return table


def _customers_table(result: DemoResult, shown: list[int]) -> Table:
    table = Table(title="Three of them", title_justify="left")
    for heading in ("customer", f"{result.request.target}?", "in truth"):
        table.add_column(_cell(heading), justify="right")
    for row in shown:
        label, actual = result.predictions.labels[row], result.actual[row]
        table.add_row(str(result.first_row + row), _cell(label), _cell(actual))
    return table


def _cell(value: object) -> Text:
    """Return what a table of somebody's holds, as it is."""
    return Text(printable(str(value)))


def _quoted(path: Path) -> str:
    return shlex.quote(_short(path))


def _short(path: Path) -> str:
    """Return the path relative to the working directory where it is below that."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)

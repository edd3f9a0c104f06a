"""`scripts/soak`: parses, calls, prints."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bench.command import run
from terna.errors import SettingsError

if TYPE_CHECKING:
    # Imported where used, as these bring in MLflow and scikit-learn: `--help` answers at once, and
    # each client, which imports this anew, is ready at once.
    from soak.facts import Facts
    from soak.run import Findings, Plan

FOLDER = Path(".terna/soak")
PARTS = 5
"""Into how many parts the swaps are divided: a kill is between each two."""

out = Console()


class Stack(StrEnum):
    """Where serving runs."""

    LOCAL = "local"
    COMPOSE = "compose"

    @classmethod
    def parse(cls, name: str) -> "Stack":
        """Return the stack of this name; `embedded` is the former name of `local`."""
        return cls.LOCAL if name == "embedded" else cls(name)


def soak(
    requests: Annotated[int, typer.Option(min=1, help="Ask at least so often.")] = 100_000,
    swaps: Annotated[int, typer.Option(min=1, help="Swap at least so often.")] = 50,
    minutes: Annotated[float, typer.Option(min=0, help="End then, whatever is missing.")] = 20,
    stack: Annotated[
        Stack,
        typer.Option(
            help="Local processes, or containers.", parser=Stack.parse, metavar="[local|compose]"
        ),
    ] = Stack.LOCAL,
    kills: Annotated[
        bool, typer.Option(help="Kill a worker and the agent in turn, each twice.")
    ] = True,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the figures to this file.")
    ] = None,
) -> None:
    """Swap versions under load, and hold every answer against the version that it names."""
    if json_file and not json_file.absolute().parent.is_dir():
        raise SettingsError(f"There is no folder {json_file.parent} for --json to write to.")
    from soak import facts
    from soak.run import Plan

    plan = Plan(requests, swaps, minutes, kill_every=max(1, swaps // PARTS) if kills else 0)
    findings = _soak(plan, stack.value)
    found = facts.of(findings)
    if json_file:
        json_file.write_text(json.dumps(found, indent=1) + "\n")
    _tell(found, _draw(findings))
    findings.check()


def _soak(plan: "Plan", stack: str) -> "Findings":
    from soak.run import run
    from terna.files import locked
    from terna.progress import Terminal

    with locked(FOLDER):
        return run(plan, stack, FOLDER / "run", Terminal(out))


def _draw(findings: "Findings") -> Path:
    from soak import plots
    from terna.training.plots import style

    path = FOLDER / f"{findings.stack}.png"
    path.write_bytes(style.png(plots.drawn(findings)))
    return path


def _tell(found: "Facts", plot: Path) -> None:
    from bench.tables import shown
    from soak import tables

    for table in (tables.outcome(found), tables.memory(found)):
        out.print(shown(table))
    out.print(f"reverse proxy: {found['door']}\nplot: {plot}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    run(soak)

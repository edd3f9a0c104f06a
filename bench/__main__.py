"""`scripts/bench`: parses, calls, prints."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bench.command import run
from terna.errors import SettingsError, TernaError

if TYPE_CHECKING:
    # Imported where used, as it brings in MLflow and scikit-learn: `--help` answers at once.
    from bench.facts import Facts

FOLDER = Path(".terna/bench")
PAGE = Path("docs/benchmark.md")

out = Console()


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Few sizes, short rounds.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the figures to this file.")
    ] = None,
    plots: Annotated[Path, typer.Option(help="The folder for the plots.")] = FOLDER / "plots",
    readme: Annotated[
        bool, typer.Option("--readme", help="Also put the tables into docs/benchmark.md.")
    ] = False,
) -> None:
    """Compare serving behind nginx with real peers on the same model: speed and memory."""
    if json_file and not json_file.absolute().parent.is_dir():
        raise SettingsError(f"There is no folder {json_file.parent} for --json to write to.")
    facts = _measure(quick)
    if json_file:
        json_file.write_text(json.dumps(facts, indent=1) + "\n")
    _draw(facts, plots)
    _tell(facts, plots)
    if readme:
        from bench import tables

        tables.put_into(PAGE, facts)
    _check_answers(facts)


def _measure(quick: bool) -> "Facts":
    from bench import facts, machine, run
    from bench.peers.venv import REQUIREMENTS
    from bench.plan import FULL, QUICK
    from terna.files import locked
    from terna.progress import Terminal

    machine.check_programs()
    found = machine.describe(REQUIREMENTS.read_text())
    with locked(FOLDER):  # two at once would measure each other
        findings = run.run(QUICK if quick else FULL, FOLDER / "run", Terminal(out))
    return facts.of(findings, found)


def _draw(facts: "Facts", folder: Path) -> None:
    from bench import plots
    from terna.training.plots import style

    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in plots.drawn(facts).items():
        (folder / f"{name}.png").write_bytes(style.png(figure))


def _tell(facts: "Facts", plots: Path) -> None:
    from bench import tables

    grown = [tables.growth(what, facts) for what in facts["growth"]]
    for table in (tables.headline(facts), tables.systems(facts), *grown):
        out.print(tables.shown(table))
    out.print(f"{tables.machine(facts)}\nplots: {plots}", highlight=False, soft_wrap=True)


def _check_answers(facts: "Facts") -> None:
    failed = {name: found["failed"] for name, found in facts["systems"].items() if found["failed"]}
    if failed:
        counts = ", ".join(f"{name} {count}" for name, count in failed.items())
        raise TernaError(f"not every answer was one, so the figures are no good: {counts}.")


if __name__ == "__main__":
    run(bench)

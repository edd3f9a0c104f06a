"""`terna model …`: models that `terna train` did not make, and whether a version would serve."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from terna.cli.console import out, print_line
from terna.cli.options import Name
from terna.errors import SettingsError
from terna.progress import Terminal
from terna.settings import DEFAULT_MODEL, Settings

if TYPE_CHECKING:
    # Imported where used, as it brings in MLflow and scikit-learn: `--help` answers at once.
    from terna.training.importing import Registered
    from terna.training.session import Session

app = typer.Typer(
    help="Bring in a model of your own, sign or release a version, ask whether one would serve.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Number = Annotated[int, typer.Argument(metavar="VERSION", help="The version's number.")]
Sample = Annotated[
    Path | None,
    typer.Option(
        help="Rows to ask the model for: .csv, .parquet, or a request as .json. Default: the"
        " model's input example."
    ),
]


@app.command()
def register(
    source: Annotated[
        str, typer.Argument(help="A model directory of MLflow, runs:/… or models:/…")
    ],
    name: Annotated[str, typer.Option(help="The registered model's name.")],
    sample: Sample = None,
    alias: Annotated[str, typer.Option(help="An alias to point to the version.")] = "",
    tag: Annotated[
        list[str] | None, typer.Option("--tag", help="KEY=VALUE for the version; repeat it.")
    ] = None,
) -> None:
    """Sign a model of any flavor, and register it as a version."""
    from terna.training import importing

    session, tags = _session(name), _tags(tag or ())
    _report(importing.register(session, source, sample, alias, tags))


@app.command()
def sign(
    version: Number,
    name: Name = DEFAULT_MODEL,
    sample: Sample = None,
    release: Annotated[
        bool, typer.Option("--release", help="Sign with the release key: it may hold code.")
    ] = False,
) -> None:
    """Register a signed copy of a version, as a new version."""
    from terna.training import importing

    session = _session(name)
    if release:
        made = importing.release(session, version)
        print_line(f"{made.version} is version {version}, released: {made.code}")
        return
    made = importing.sign(session, version, sample)
    print_line(f"{made.version} is version {version}, signed")
    _report(made)


@app.command()
def validate(version: Number, name: Name = DEFAULT_MODEL) -> None:
    """Ask whether serving would serve a version: signature, format, reference rows."""
    from terna.training.validation import validate as run

    session, settings = _session(name), Settings.load()
    found = session.registry.version(name, version)
    with session.reporter.step(f"validating {found}"):
        run(session.registry, found, settings)
    print_line(f"{found} would serve")


def _report(made: "Registered") -> None:
    version = made.version
    print_line(f"{version} is registered: `terna promote {version.number} --name {version.name}`")
    if made.code:
        print_line(
            f"It can run code when it is loaded ({made.code}): serving wants it released first,"
            f" `terna model sign {version.number} --name {version.name} --release`"
        )


def _tags(pairs: Sequence[str]) -> dict[str, str]:
    tags = dict(pair.partition("=")[::2] for pair in pairs)
    if not all(tags) or not all("=" in pair for pair in pairs):
        raise SettingsError("A tag is KEY=VALUE, such as --tag owner=sales.")
    return tags


def _session(name: str) -> "Session":
    from terna.training.session import Session

    return Session.open(name, Settings.load(), Terminal(out))

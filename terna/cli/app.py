"""The command line: every command with its panel of `--help`, and how an error ends it."""

import os
import sys
import warnings

import typer

from terna.cli import (
    api_keys,
    erp,
    local,
    model,
    people,
    registry,
    secrets,
    serving,
    tracking,
    training,
    version,
)
from terna.cli.console import print_error
from terna.errors import TernaError

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells give it."""

TRAINING = "Server 1: train"
SERVERS = "Server 2: track and serve"
ERP = "Server 3: the ERP"
LOCAL = "All of it on this machine"

app = typer.Typer(
    help="From a table of customers to a label on the ERP's screen, on three servers.",
    epilog="Settings are environment variables or lines of .env: see .env.example.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

app.callback(invoke_without_command=True)(version.options)

app.command(rich_help_panel=LOCAL)(local.demo)

app.command(rich_help_panel=TRAINING)(training.train)
app.command(rich_help_panel=TRAINING)(training.acquire)
app.command(rich_help_panel=TRAINING)(training.explore)
app.command(rich_help_panel=TRAINING)(training.prepare)
app.command(rich_help_panel=TRAINING)(training.tune)
app.command(rich_help_panel=TRAINING)(training.evaluate)
app.command(rich_help_panel=TRAINING)(training.publish)
app.command(rich_help_panel=TRAINING, hidden=True)(training.signer)
app.command(rich_help_panel=TRAINING, hidden=True)(training.sshd)
app.add_typer(people.app, name="people", rich_help_panel=TRAINING)

app.add_typer(model.app, name="model", rich_help_panel=SERVERS)
app.add_typer(api_keys.app, name="api-keys", rich_help_panel=SERVERS)
app.add_typer(secrets.app, name="secrets", rich_help_panel=SERVERS)
app.command(rich_help_panel=SERVERS)(registry.promote)
app.command(rich_help_panel=SERVERS)(tracking.track)
app.command(rich_help_panel=SERVERS)(serving.serve)

app.add_typer(erp.app, name="erp", rich_help_panel=ERP)
app.command(rich_help_panel=SERVERS, hidden=True)(serving.agent)
app.command(rich_help_panel=SERVERS)(registry.healthcheck)
app.command(rich_help_panel=SERVERS, hidden=True)(tracking.init_stores)
app.command(rich_help_panel=SERVERS, hidden=True)(tracking.init_object_store)
app.command(rich_help_panel=SERVERS, hidden=True)(local.init_secrets)
app.command(rich_help_panel=SERVERS, hidden=True)(local.renew)

app.command(rich_help_panel=LOCAL)(local.certificates)


def main() -> None:
    """Run the command line; every error that Terna raises is one line and exit code 1."""
    os.umask(0o077)  # what a command writes is its user's own, unless it says otherwise
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")  # read when MLflow is imported
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        app()
    except TernaError as error:
        print_error(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)

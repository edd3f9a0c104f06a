"""Server 1's commands: all six phases of a training, or one; the signer and sshd."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from terna.cli.console import out, print_line
from terna.cli.options import Name, TableOptions, Trials, with_table_options
from terna.errors import SettingsError
from terna.progress import Terminal
from terna.settings import DEFAULT_MODEL, Settings

if TYPE_CHECKING:
    # Imported where used, as it brings in MLflow and scikit-learn: `--help` answers at once.
    from terna.training.session import Session


@with_table_options
def train(
    *,
    name: Name = DEFAULT_MODEL,
    table: TableOptions,
    trials: Trials = None,
    first: Annotated[
        bool, typer.Option("--first", help="Only when nothing is in production yet.")
    ] = False,
) -> None:
    """Run all six phases: a signed version, promoted unless it is worse."""
    from terna.training.pipeline import train as run

    session = _session(name)
    if first and (served := session.registry.production(name)):
        print_line(f"{served} is in production already")
        return
    run(session, table.request(), trials or session.settings.trials)


@with_table_options
def acquire(*, name: Name = DEFAULT_MODEL, table: TableOptions) -> None:
    """Phase 1: read and check the customers, set the hold-out aside."""
    from terna.training.acquire import run

    run(_session(name), table.request())


def explore(name: Name = DEFAULT_MODEL) -> None:
    """Phase 2: an HTML report of the training rows."""
    from terna.training.explore import run

    run(_session(name))


def prepare(name: Name = DEFAULT_MODEL) -> None:
    """Phase 3: settle which columns the model learns from, and how."""
    from terna.training.prepare import run

    run(_session(name))


def tune(name: Name = DEFAULT_MODEL, trials: Trials = None) -> None:
    """Phase 4: look for the best model by cross-validation."""
    from terna.training.tune import run

    session = _session(name)
    run(session, trials or session.settings.trials)


def evaluate(name: Name = DEFAULT_MODEL) -> None:
    """Phase 5: fit the winner and score it on the hold-out."""
    from terna.training.evaluate import run

    run(_session(name))


def publish(name: Name = DEFAULT_MODEL) -> None:
    """Phase 6: sign and register the model, promote it unless it is worse."""
    from terna.training.publish import run

    run(_session(name))


def signer() -> None:
    """Hold the key that signs models, and sign what others hand to its socket."""
    from terna.security.audit import AuditLog
    from terna.security.signer_server import SignerServer

    settings = Settings.load()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if not settings.training.signer:
        raise SettingsError("Where is the signer to listen? Set TERNA_TRAINING_SIGNER.")
    with SignerServer(
        Path(settings.training.signer),
        settings.training.signing_key,
        settings.serving.max_model_bytes,
        AuditLog(settings.audit.log),
    ) as server:
        server.serve_forever()


def sshd() -> None:
    """Run server 1's sshd, with an account for each person of secrets/training/people."""
    from terna.security.audit import AuditLog
    from terna.training import ssh_server
    from terna.training.accounts import Places

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    raise typer.Exit(ssh_server.run(AuditLog(Settings.load().audit.log), Places()))


def _session(name: str) -> "Session":
    from terna.training.session import Session

    return Session.open(name, Settings.load(), Terminal(out))

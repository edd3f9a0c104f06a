"""`terna erp …`: what is set up on server 3, where trytond is."""

import os
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from terna.errors import SettingsError

app = typer.Typer(
    help="Set up the ERP, where trytond is installed.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@app.callback()
def group() -> None:
    """Have the one command keep its name."""


@app.command()
def fields(
    endpoint: Annotated[
        str, typer.Option(metavar="NAME", help="The registered model's name on server 2.")
    ],
    database: Annotated[
        str,
        typer.Option(envvar="TRYTOND_DATABASE_NAMES", help="Tryton's database, with the module."),
    ],
    choices: Annotated[
        list[str] | None,
        typer.Option(metavar="FEATURE=TEXT,…", help="Texts that a feature may have; repeat it."),
    ] = None,
) -> None:
    """Make the features of an endpoint from its model's schema, and say what changed.

    TRYTOND_CONFIG names trytond's configuration file.
    """
    given = [option for each in choices or () for option in ("--choices", each)]
    run_tryton("fields", "--endpoint", endpoint, "--database", database, *given)


def run_tryton(*arguments: str) -> None:
    """Become the Tryton module's own command, which is under another licence than this program.

    Raises:
        SettingsError: trytond is not installed.
    """
    if find_spec("trytond") is None:
        raise SettingsError("trytond is not installed here: pip install 'terna[tryton]'.")
    os.execv(sys.executable, [sys.executable, "-m", "terna.erp.tryton", *arguments])  # noqa: S606

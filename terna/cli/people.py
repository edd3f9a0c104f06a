"""`terna people`: who may log in to server 1 of the replica in containers."""

from pathlib import Path
from typing import Annotated

import typer

from terna.cli.console import print_line
from terna.errors import SettingsError

app = typer.Typer(
    help="Say who may log in to server 1, in the checkout of the replica.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Name = Annotated[str, typer.Argument(help="The person's name on server 1.")]


@app.command()
def add(
    name: Name,
    keyfile: Annotated[Path, typer.Argument(help="The person's public keys: a .pub file.")],
    promote: Annotated[
        bool, typer.Option("--promote", help="The person may put versions into production.")
    ] = False,
) -> None:
    """Let a person log in with these keys, from now on."""
    from terna.security import people

    keys = people.add(_secrets(), name, keyfile, promote)
    print_line(f"{name} may log in with {len(keys)} key{'s' * (len(keys) > 1)}")


@app.command()
def remove(name: Name) -> None:
    """Refuse a person's next login; the person's home folder is kept."""
    from terna.security import people

    people.remove(_secrets(), name)
    print_line(f"{name} may log in no longer; sessions that are open go on until they end")


@app.command("list")
def list_() -> None:
    """List everybody's keys: name, type, fingerprint, comment."""
    from terna.security import people

    secrets = _secrets()
    for name in people.names(secrets):
        try:
            lines = [
                f"{k.type}  {k.fingerprint}  {k.comment}" for k in people.keys_of(secrets, name)
            ]
        except SettingsError as error:
            lines = [str(error)]
        for line in lines:
            print_line(f"{name}  {line}".rstrip())


def _secrets() -> Path:
    folder = Path("secrets")
    if not folder.is_dir():
        raise SettingsError("There is no folder secrets/ here: run this in the replica's checkout.")
    return folder

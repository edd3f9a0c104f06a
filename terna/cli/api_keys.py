"""`terna api-keys …`: who may call serving."""

from typing import Annotated

import typer
from rich.table import Table

from terna.cli.console import out, print_line
from terna.security.api_keys import Scope, add_key, read_keys, remove_keys
from terna.settings import Settings

app = typer.Typer(
    help="Make, list and remove the API keys of the callers of serving.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

KeyName = Annotated[str, typer.Argument(metavar="NAME", help="The caller's name, in the log too.")]


@app.command()
def add(
    name: KeyName,
    scope: Annotated[Scope, typer.Option(help="What it may ask for.")] = Scope.MODELS,
    requests_per_second: Annotated[
        float, typer.Option(help="How many requests each worker takes of it; 0: no limit.")
    ] = 0,
) -> None:
    """Make a key and print it once; serving takes it from the next second on.

    A second key of a name replaces the first without a gap: make it, give it to the caller, remove
    the first.
    """
    print_line(add_key(Settings.load().serving.api_keys, name, scope, requests_per_second))


@app.command("list")
def list_keys() -> None:
    """List the keys by name and id; the keys themselves are kept nowhere."""
    table = Table("name", "id", "may ask for", "requests a second")
    for key in read_keys(Settings.load().serving.api_keys):
        limit = f"{key.requests_per_second:g}" if key.requests_per_second else "no limit"
        table.add_row(key.name, key.id, key.scope, limit)
    out.print(table)


@app.command()
def remove(
    name: KeyName,
    key_id: Annotated[str, typer.Option("--id", help="Only the key of this id.")] = "",
) -> None:
    """Remove the keys of a name; serving refuses them from the next second on."""
    for key in remove_keys(Settings.load().serving.api_keys, name, key_id):
        print_line(f"removed {key.name} {key.id}")

"""`terna secrets …`: passwords and keys that are changed while everything runs."""

from pathlib import Path
from typing import Annotated

import typer

from terna.cli.console import print_line
from terna.security.rotation import RESTARTED, rotatable
from terna.security.rotation import rotate as rotate_secret

SECRETS = Path("secrets")

app = typer.Typer(
    help="Change passwords and API keys while everything runs.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@app.command()
def rotate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its path below secrets/.")],
    overlap: Annotated[
        float, typer.Option(min=0, help="Seconds for which an API key works beside its successor.")
    ] = 60,
) -> None:
    """Replace a password or an API key by a new one, for who sends it and for who checks it."""
    rotate_secret(SECRETS, name, overlap)
    print_line(f"{name} is a new one.")
    if name in RESTARTED:
        print_line(f"For it to be used: docker compose restart {RESTARTED[name]}")


@app.command("list")
def list_secrets() -> None:
    """List what can be rotated."""
    for name in rotatable(SECRETS):
        print_line(name)

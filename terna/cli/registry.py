"""Commands that ask the registry: promote a version, check that the registry works."""

from typing import TYPE_CHECKING, Annotated

import typer

from terna.cli.console import print_line
from terna.cli.options import Name
from terna.settings import DEFAULT_MODEL, Settings

if TYPE_CHECKING:
    # Imported where used, as it brings in MLflow: `--help` answers at once.
    from terna.registry.registry import Registry


def promote(
    version: Annotated[int, typer.Argument(help="The version to put into production.")],
    name: Name = DEFAULT_MODEL,
) -> None:
    """Move alias and stage to a version; serving follows within seconds."""
    registry = _registry()
    promoted = registry.version(name, version)
    registry.promote(promoted)
    print_line(f"{promoted} is in production")


def healthcheck() -> None:
    """Ask the registry something that it answers only when it works."""
    _registry().check()


def _registry() -> "Registry":
    from terna.registry.client import connect
    from terna.registry.registry import MLflowRegistry

    return MLflowRegistry(connect(Settings.load().tracking))

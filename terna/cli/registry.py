"""Commands that ask the registry: promote a version, check that the registry works."""

from typing import TYPE_CHECKING, Annotated

import typer

from terna.cli.console import out, print_line
from terna.cli.options import Name
from terna.errors import ModelRejected
from terna.progress import Terminal
from terna.settings import DEFAULT_MODEL, Settings

if TYPE_CHECKING:
    # Imported where used, as it brings in MLflow: `--help` answers at once.
    from terna.contracts.version import Version
    from terna.registry.registry import Registry


def promote(
    version: Annotated[int, typer.Argument(help="The version to put into production.")],
    name: Name = DEFAULT_MODEL,
    force: Annotated[
        bool, typer.Option("--force", help="Do not ask first whether the version would serve.")
    ] = False,
) -> None:
    """Move alias and stage to a version that would serve; serving follows within seconds."""
    registry = _registry()
    promoted = registry.version(name, version)
    if not force:
        _check_would_serve(registry, promoted)
    registry.promote(promoted)
    print_line(f"{promoted} is in production")


def healthcheck() -> None:
    """Ask the registry something that it answers only when it works."""
    _registry().check()


def _check_would_serve(registry: "Registry", version: "Version") -> None:
    from terna.training.validation import validate

    try:
        with Terminal(out).step(f"validating {version}"):
            validate(registry, version, Settings.load())
    except ModelRejected as error:
        raise ModelRejected(
            f"{version} is not promoted, as it would not serve: {error} (--force skips this check)"
        ) from error


def _registry() -> "Registry":
    from terna.registry.client import connect
    from terna.registry.registry import MLflowRegistry

    tracking = Settings.load().tracking
    return MLflowRegistry(connect(tracking), tracking)

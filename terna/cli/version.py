"""`terna --version`: the version, and the commit where it is known."""

import os
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from terna import __version__
from terna.cli.console import print_line

BUILT_FROM = "TERNA_BUILD_REVISION"
"""The variable in which an image has its commit: its build sets it, no user does."""

UNKNOWN = "unknown"
CHECKOUT = Path(__file__).parents[2]


def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version, and the commit where it is known.")
    ] = False,
) -> None:
    """Answer the options that are no command's."""
    if version:
        print_line(
            f"terna {__version__}" + (f" (commit {commit})" if (commit := revision()) else "")
        )
        raise typer.Exit


def revision() -> str:
    """Return the commit that this code is of: the image's, else the checkout's; empty for none."""
    built_from = os.environ.get(BUILT_FROM)
    return _checked_out() if built_from is None else built_from.replace(UNKNOWN, "")


def _checked_out() -> str:
    """Return the commit with `-dirty` where files differ; empty without a repository or git."""
    if not (CHECKOUT / ".git").exists():
        return ""
    describe = ("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    command = ["git", "-C", str(CHECKOUT), *describe]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""

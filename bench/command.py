"""How a command of this checkout runs: one line for each error, and an end for each signal."""

import os
import signal
import sys
import warnings
from collections.abc import Callable

import typer
from rich.console import Console

from terna.errors import TernaError

INTERRUPTED = 130


def run(command: Callable[..., None]) -> None:
    """Parse the command line, and call; each error that Terna raises is one line, exit code 1."""
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")  # read when MLflow is imported
    warnings.simplefilter("ignore")
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _interrupt)
    try:
        typer.run(command)
    except TernaError as error:
        line = f"{command.__name__}: {error}"
        Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt

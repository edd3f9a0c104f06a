"""Where the command line prints."""

from rich.console import Console
from rich.markup import escape

from terna.progress import printable

out = Console()


def print_line(text: str) -> None:
    """Print one line as it is, however long it is."""
    out.print(printable(text), markup=False, highlight=False, soft_wrap=True)


def print_error(error: Exception) -> None:
    """Print an error as one line on stderr."""
    line = f"[red]error:[/] {escape(printable(str(error)))}"
    Console(stderr=True).print(line, highlight=False, soft_wrap=True)

"""Progress of long work: lines and progress bars in a terminal."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Advance = Callable[[], None]
"""Counts one more part of a step as done."""


def printable(text: str) -> str:
    """Return a text that no terminal takes for a command: what is not printable, as `\\x1b` is."""
    marks = (m if m.isprintable() or m == "\n" else ascii(m)[1:-1] for m in text)
    return "".join(marks)


class Reporter(Protocol):
    """What long work reports its progress to."""

    def say(self, text: str) -> None:
        """Print one line."""

    def step(self, label: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Show progress during a `with` block, of `total` parts if given.

        `with reporter.step("tuning", 50) as advance:`, and `advance()` after each of the 50.
        """


class Silent:
    """A reporter that shows nothing."""

    def say(self, text: str) -> None:
        """Print nothing."""

    @contextmanager
    def step(self, label: str, total: int | None = None) -> Iterator[Advance]:  # noqa: ARG002
        """Show nothing."""
        yield lambda: None


class Terminal:
    """A reporter with a progress bar for each step, or a line where the output is no terminal."""

    def __init__(self, console: Console) -> None:
        """Print to this console."""
        self._console = console

    def say(self, text: str) -> None:
        """Print one line, without colours, however long it is."""
        self._console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, label: str, total: int | None = None) -> Iterator[Advance]:
        """Show a progress bar until the `with` block ends."""
        if not self._console.is_terminal:
            self.say(f"{label} …")
            yield lambda: None
            return
        with self._bar(total) as bar:
            task = bar.add_task(label, total=total)
            yield lambda: bar.advance(task)

    def _bar(self, total: int | None) -> Progress:
        counted = [MofNCompleteColumn()] if total else []
        return Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(),
            *counted,
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )

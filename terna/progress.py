"""How long work shows that it goes on."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Advance = Callable[[], None]


class Reporter(Protocol):
    """Where work tells a person what it does."""

    def say(self, text: str) -> None:
        """One line that stays."""

    def step(self, label: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """`with reporter.step("tuning", 50) as advance:`, and `advance()` after each of the 50."""


class Silent:
    """Tells nobody."""

    def say(self, text: str) -> None:
        pass

    @contextmanager
    def step(self, label: str, total: int | None = None) -> Iterator[Advance]:  # noqa: ARG002
        yield lambda: None


class Terminal:
    """A progress bar for each step, and its label as a line where the output is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, label: str, total: int | None = None) -> Iterator[Advance]:
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

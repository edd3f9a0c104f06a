"""`terna …` inside the test's own process."""

import os
import sys
from dataclasses import dataclass

import pytest

from terna.cli import main


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


class Terna:
    """Runs commands in a folder of their own, with no settings but the defaults."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.umask = 0
        """The one that the last command set."""

    def __call__(self, *arguments: str) -> Done:
        self._monkeypatch.setattr(sys, "argv", ["terna", *arguments])
        before = os.umask(0o022)
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            self.umask = os.umask(before)
        printed = self._capsys.readouterr()
        return Done(int(ended.value.code or 0), printed.out, printed.err)

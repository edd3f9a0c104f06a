"""Lines of the command line are printed as they are."""

import pytest

from terna.cli.console import print_error, print_line
from terna.errors import DataError

LONG = "[red]a/path[/red] " + "x" * 300


def test_line_is_printed_whole_and_without_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_line(LONG)
    assert capsys.readouterr().out == f"{LONG}\n"


def test_error_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(DataError(LONG))
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"error: {LONG}\n")

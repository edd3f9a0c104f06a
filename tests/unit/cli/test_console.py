"""Lines of the command line are printed as they are."""

import pytest

from terna.cli.console import out, print_error, print_line
from terna.errors import DataError
from terna.progress import Terminal

LONG = "[red]a/path[/red] " + "x" * 300


def test_line_is_printed_whole_and_without_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_line(LONG)
    assert capsys.readouterr().out == f"{LONG}\n"


def test_error_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(DataError(LONG))
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"error: {LONG}\n")


COMMAND = "\x1b]0;title\x07\x1b[2J\x9b31m\u202e\udc80"


def test_terminal_is_given_no_commands_of_a_column_name(capsys: pytest.CaptureFixture[str]) -> None:
    shown = r"\x1b]0;title\x07\x1b[2J\x9b31m\u202e\udc80"
    print_line(COMMAND)
    print_error(DataError(COMMAND))
    Terminal(out).say(COMMAND)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (f"{shown}\n" * 2, f"error: {shown}\n")


def test_letters_of_any_language_are_printed_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_line("größer, Ž, 客户\nsecond line")
    assert capsys.readouterr().out == "größer, Ž, 客户\nsecond line\n"

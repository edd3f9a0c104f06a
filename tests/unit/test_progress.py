"""Long work shows its progress, in a terminal and in a log."""

from io import StringIO

import pytest
from rich.console import Console

from terna.progress import Silent, Terminal


def test_step_is_a_line_where_the_output_is_no_terminal() -> None:
    output = StringIO()
    with Terminal(Console(file=output)).step("tuning", 2) as advance:
        advance()
    assert output.getvalue() == "tuning …\n"


def test_step_is_a_bar_with_its_parts_in_a_terminal() -> None:
    output = StringIO()
    with Terminal(Console(file=output, force_terminal=True)).step("tuning", 2) as advance:
        advance()
    assert "tuning" in output.getvalue()
    assert "1/2" in output.getvalue()


def test_line_is_printed_as_it_is() -> None:
    output = StringIO()
    Terminal(Console(file=output, width=20)).say("[bold]" + "x" * 100)
    assert output.getvalue() == "[bold]" + "x" * 100 + "\n"


def test_silent_reporter_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Silent()
    reporter.say("nothing")
    with reporter.step("nothing") as advance:
        advance()
    assert capsys.readouterr() == ("", "")

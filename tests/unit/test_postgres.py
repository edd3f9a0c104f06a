"""Postgres's own settings, as `services/postgres/start` gives them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_errors_in_the_log_have_no_row_and_no_statement() -> None:
    start = (ROOT / "services/postgres/start").read_text()
    settings = dict(re.findall(r"-c (\w+)=(\S+)", start.partition("exec postgres")[2]))
    assert settings["log_error_verbosity"] == "terse"
    assert settings["log_min_error_statement"] == "panic"

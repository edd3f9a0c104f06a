"""Options and fixtures of every kind of test."""

import signal

import pytest

STACKS = ("embedded", "compose")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stack",
        action="append",
        choices=STACKS,
        help="what the e2e journeys run against; repeat it. Default: all",
    )
    parser.addoption(
        "--cases", type=int, default=800, help="how many requests the fuzzing sends in all"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only_on(stack): the test is about one of the stacks")
    # Who ends a run by a signal ends what it has started, as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)

"""Options and fixtures of every kind of test."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stack",
        choices=("embedded",),
        default="embedded",
        help="what the e2e journeys run against",
    )

"""Options of every kind of test, and the groups that share a process."""

import signal
from typing import Any

import pytest

from tests.groups import STACKS, GroupScheduling, rank_of, stack_name


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stack",
        action="append",
        type=stack_name,
        choices=STACKS,
        help="what the e2e journeys run against; repeat it. Default: all. `embedded` is `local`",
    )
    parser.addoption(
        "--cases", type=int, default=800, help="how many requests the fuzzing sends in all"
    )
    parser.addoption(
        "--compiled-model-cases",
        type=int,
        default=2000,
        help="how many changed compiled models the fuzzing has decoded in all",
    )
    parser.addoption(
        "--requests", type=int, default=1, help="how many requests the upgrade goes on for"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only_on(stack): the test is about one of the stacks")
    # Who ends a run by a signal ends what it has started, as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling:
    return GroupScheduling(config, log)

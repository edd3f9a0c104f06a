"""Options of every kind of test, and who runs which when tests are shared by processes."""

import signal

import pytest

STACKS = ("local", "compose")
FORMER_NAMES = {"embedded": "local"}
"""Accepted where a stack is chosen."""

LOAD = ("test_fuzz.py", "test_soak.py")
"""Each loads the machine: one after the other."""


def stack_name(given: str) -> str:
    return FORMER_NAMES.get(given, given)


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


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only_on(stack): the test is about one of the stacks")
    # Who ends a run by a signal ends what it has started, as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the group that one of pytest-xdist's processes runs, longest first."""
    items.sort(key=_rank)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))


def group(item: pytest.Item) -> str:
    """Return who shares a process: all on one stack, all that load the machine, each file."""
    if stack := _stack(item):
        return stack
    if item.path.name in LOAD and "integration" in item.path.parts:
        return "load"
    return str(item.path.relative_to(item.config.rootpath))


def _rank(item: pytest.Item) -> int:
    """The compose stack's mostly wait: they begin first, and the rest runs beside them."""
    kinds = ("compose", "local", "load", "tests/e2e", "tests/integration", "")
    return next(rank for rank, kind in enumerate(kinds) if group(item).startswith(kind))


def _stack(item: pytest.Item) -> str:
    """The stack that a test runs on; empty where it is none of `--stack`'s."""
    parameters = getattr(item, "callspec", None)
    if parameters and "stack" in parameters.params:
        return str(parameters.params["stack"])
    fixtures = getattr(item, "fixturenames", ())
    return "compose" if "compose_stack" in fixtures else ""

"""Which tests share a process when pytest-xdist runs them, and which begin first."""

import pytest

STACKS = ("local", "compose")
FORMER_NAMES = {"embedded": "local"}

LOAD = ("test_fuzz.py", "test_soak.py")
"""Each loads the machine: one after the other."""


def stack_name(given: str) -> str:
    """Return the name of a stack that may be given by its former one."""
    return FORMER_NAMES.get(given, given)


def group_of(item: pytest.Item) -> str:
    """Return who shares a process: all on one stack, all that load the machine, each file."""
    if stack := _stack_of(item):
        return stack
    if item.path.name in LOAD and "integration" in item.path.parts:
        return "load"
    return str(item.path.relative_to(item.config.rootpath))


def rank_of(item: pytest.Item) -> int:
    """Return a test's place: those that wait for containers begin, the rest runs beside them."""
    begins = ("compose", "local", "load", "tests/e2e", "tests/integration", "")
    return next(rank for rank, begin in enumerate(begins) if group_of(item).startswith(begin))


def _stack_of(item: pytest.Item) -> str:
    """Return the stack that a test runs on; empty where it needs none of `STACKS`."""
    parameters = getattr(item, "callspec", None)
    if parameters and "stack" in parameters.params:
        return str(parameters.params["stack"])
    fixtures = getattr(item, "fixturenames", ())
    return "compose" if "compose_stack" in fixtures else ""

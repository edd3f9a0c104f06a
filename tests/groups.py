"""Which tests share a process when pytest-xdist runs them, and which begin first.

A scheduler of our own, as pytest-xdist's `--dist loadgroup` writes groups into test ids, which
pytest 9 no longer lets it change: https://github.com/pytest-dev/pytest-xdist
"""

import re
from pathlib import PurePath

from xdist.scheduler import LoadScopeScheduling

STACKS = ("local", "compose")
FORMER_NAMES = {"embedded": "local"}

ON_COMPOSE = (
    *("test_erp.py", "test_erp_browser.py", "test_erp_identity.py"),
    *("test_renewal.py", "test_replica.py", "test_reverse_proxy.py"),
    *("test_rolling.py", "test_ssh.py", "test_supply_chain.py"),
)
"""Each asks the replica in containers only."""

ON_LOCAL = ("test_erp_clients.py",)
"""Each asks the local servers only."""

LOAD = ("test_fuzz.py", "test_soak.py", "test_slow_clients.py")
"""Each loads the machine: one after the other."""

ORDER = ("compose", "local", "load", "tests/e2e", "tests/integration", "")
"""Groups by how they begin: those that wait for containers first, the rest runs beside them."""


def stack_name(given: str) -> str:
    """Return the name of a stack that may be given by its former one."""
    return FORMER_NAMES.get(given, given)


def group_of(test: str) -> str:
    """Return who shares a process: all on one stack, in Tryton, that load the machine, each file.

    Args:
        test: its id, such as `tests/e2e/test_journey.py::test_x[compose]`.
    """
    file, _, name = test.partition("::")
    path = PurePath(file)
    if "e2e" in path.parts:
        if path.name in ON_COMPOSE:
            return "compose"
        if path.name in ON_LOCAL:
            return "local"
        stack = re.search(rf"\[({'|'.join(STACKS)})\b", name)
        return stack[1] if stack else file
    if "tryton" in path.parts:  # trytond keeps its settings and its database in module variables
        return "tryton"
    return "load" if path.name in LOAD and "unit" not in path.parts else file


def rank_of(test: str) -> int:
    """Return the place of a test's group in `ORDER`."""
    group = group_of(test)
    return next(rank for rank, beginning in enumerate(ORDER) if group.startswith(beginning))


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist is not typed
    """Hands whole groups to processes, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)

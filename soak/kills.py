"""Processes that the soak kills, and which requests are lost by that: no others may be."""

from collections.abc import Sequence
from dataclasses import dataclass

from soak.clients import Lost

AGENT = "agent"
"""The command of the process that looks at the registry."""
SLACK = 0.1
"""Seconds after a worker's end in which the reverse proxy may not have seen it: it shares cores."""


@dataclass(frozen=True)
class Kill:
    """A process that was killed, on the machine's monotonic clock."""

    process: str
    """What it was: `worker 2`, or `agent`."""
    killed: float
    gone: float
    """When the kernel had closed its connections."""
    connections: int
    """Of clients that it held: on each, one request may have been in flight."""

    @property
    def kind(self) -> str:
        """`worker` or `agent`."""
        return self.process.split()[0]

    def explains(self, lost: Lost) -> bool:
        """Return whether a lost request can have been in this process when it was killed."""
        return lost.asked <= self.gone + SLACK and lost.ended >= self.killed


def unexplained(lost: Sequence[Lost], kills: Sequence[Kill]) -> list[Lost]:
    """Return the lost requests that were in no killed process, or are more than it can have had."""
    left = {kill: kill.connections for kill in kills}
    rest = []
    for request in lost:
        kill = next((kill for kill in kills if left[kill] and kill.explains(request)), None)
        if kill is None:
            rest.append(request)
        else:
            left[kill] -= 1
    return rest

"""The bodies that a worker is sent: how long each may take, and how many bytes all may hold."""

from asyncio import Task
from time import monotonic
from typing import Any

from terna.errors import Overloaded
from terna.settings import Serving


class Uploads:
    """The limits of bodies, and what is used of them.

    A deadline of its own for each body would take a microsecond of each request: instead, all that
    are being read are looked through a few times a second.
    """

    def __init__(self, serving: Serving) -> None:
        self.max_body = serving.max_body_bytes
        """Bytes of the largest body, as it is sent and as it is inflated."""
        self.timeout = serving.body_timeout_seconds
        """Seconds that a body may take to arrive."""
        self._free = serving.max_bytes_in_flight
        self._reading: dict[Task[Any], float] = {}
        """When each task began to read, the first one first."""
        self._late: set[Task[Any]] = set()

    def begin(self, task: Task[Any]) -> None:
        """Begin to read a body in this task."""
        self._reading[task] = monotonic()

    def end(self, task: Task[Any]) -> None:
        """End what `begin` began."""
        del self._reading[task]
        if self._late:
            self._late.discard(task)

    def is_late(self, task: Task[Any]) -> bool:
        """Return whether the task was cancelled as its body takes too long."""
        return task in self._late

    def cancel_late(self) -> None:
        """Cancel the tasks whose body takes too long."""
        begun_before = monotonic() - self.timeout
        for task, begun in self._reading.items():
            if begun > begun_before:
                return
            if task not in self._late:
                self._late.add(task)
                task.cancel()

    def take(self, size: int) -> None:
        """Take bytes from the budget.

        Raises:
            Overloaded: there are not as many left.
        """
        if size > self._free:
            raise Overloaded("Too many bytes are being sent already: ask again in a second.")
        self._free -= size

    def give_back(self, size: int) -> None:
        """Give bytes back to the budget."""
        self._free += size

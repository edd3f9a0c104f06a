"""What a response may be, and a count of what the responses were."""

import json
from collections import Counter
from dataclasses import dataclass, field

from rich.table import Table

from tests.fuzzing.sent import PLANTED

USUAL = (200, 400, 404, 405, 413, 415)


def check(path: str, status: int, body: bytes) -> None:
    """Fail on a response that is the server's fault, or that repeats what was planted."""
    assert status in USUAL, body[:400]
    if status == 200:
        return
    told = body.decode()
    assert not [planted for planted in PLANTED if planted in told]
    assert "Traceback" not in told
    assert len(told.splitlines()) <= 1
    assert len(told) < 400
    if body and status != 415:
        keys = {"error"} if path.startswith("/v2") else {"error_code", "message"}
        assert set(json.loads(told)) == keys


@dataclass
class StatusCounts:
    """How many responses of each status there were."""

    statuses: dict[tuple[str, str], Counter[int]] = field(default_factory=dict)
    """By backend, and by what was sent."""

    def add(self, backend: str, what: str, status: int) -> None:
        self.statuses.setdefault((backend, what), Counter())[status] += 1

    def reached(self, backend: str, what: str) -> float:
        """Return the share of what was sent that the model answered."""
        counted = self.statuses[backend, what]
        return counted[200] / counted.total()

    def table(self) -> Table:
        """Return a table with a row for each kind of request, and their sum."""
        every = sum(self.statuses.values(), Counter())
        table = Table("model", "sent", "cases", *map(str, sorted(every)), "reached the model")
        for (backend, what), counted in [*self.statuses.items(), (("all", ""), every)]:
            numbers = [counted.total(), *(counted[status] for status in sorted(every))]
            share = f"{counted[200] / max(1, counted.total()):.0%}"
            table.add_row(backend, what, *(f"{number:,}" for number in numbers), share)
        return table

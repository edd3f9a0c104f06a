"""Findings as a soak of some swaps could have them."""

import pytest

from soak.clients import Tally
from soak.run import Findings, Plan, Swap
from soak.workers import Memory

BEGAN = 1000.0


def swap(number: int, worker_mb: float) -> Swap:
    """One swap every two seconds, between versions 1 and 2."""
    promoted = BEGAN + 2 * number
    memory = {"agent": Memory(400, 380, 250), "worker 1": Memory(worker_mb, 70, 40)}
    return Swap(str(1 + number % 2), promoted, promoted + 1.5, memory)


@pytest.fixture
def findings() -> Findings:
    """20 swaps and 2000 requests; a worker takes 1 MB more with each swap."""
    found = Findings(Plan(requests=2000, swaps=20), "local", "nginx", BEGAN)
    found.swaps = [swap(number, 100 + number) for number in range(20)]
    for number in range(20):
        tally = Tally(at=BEGAN + 2 * number + 2)
        tally.good.update({str(1 + number % 2): 90, str(2 - number % 2): 10})
        found.take([tally])
    return found

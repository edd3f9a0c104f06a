"""What an attack costs others: a well-behaved client beside it, and the server's memory."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from statistics import quantiles

import psutil

from bench.memory import rollup
from tests.adversarial.attacks import Answers, Attack
from tests.adversarial.client import Client
from tests.adversarial.listener import Listener

AT_LEAST = 2.0
"""Seconds that it asks, however short an attack is."""

BACK = 1.35
"""How many times the memory from before may be held a minute after an attack.

Each child process that answered an unusual table may keep some 70 MB for the next; what is lost
comes on top, and grows from attack to attack."""


@dataclass(frozen=True)
class Found:
    """What came of one attack."""

    attack: str
    listener: str
    answers: dict[str, int]
    """Of the attacker."""
    documented: list[str]
    """What these should be among."""
    requests: int
    """Of the well-behaved client, as are the failures and times."""
    failures: list[str]
    p50_ms: float
    p99_ms: float
    memory_mb: tuple[float, float, float]
    """Of all of serving's processes together: before, at the peak, and within a minute after."""

    @property
    def findings(self) -> list[str]:
        """What should not be; the time that a request takes is left to others to judge."""
        before, _, after = self.memory_mb
        others = self.answers.keys() - set(self.documented)
        return [
            *(f"the attacker got {self.answers[each]} × {each}" for each in sorted(others)),
            *(f"others failed: {each}" for each in self.failures[:1]),
            *([f"{after:.0f} MB of memory, {before:.0f} before"] if after > BACK * before else []),
        ]


@dataclass(frozen=True)
class Served:
    """Serving that is attacked, with a model."""

    model: str
    body: bytes
    """A request of one row, which the model answers."""
    process: int
    """The process that started all others of serving."""
    memory_before: float
    """MB that it held before the first attack."""

    def memory_after(self, seconds: float = 60) -> float:
        """Return its memory in MB once it is back, or what it is after `seconds`."""
        deadline = time.monotonic() + seconds
        while (now := memory_of(self.process)) > BACK * self.memory_before:
            if time.monotonic() > deadline:
                break
            time.sleep(0.5)
        return now


def memory_of(process: int) -> float:
    """Return the memory of a process and all that it started together, in MB.

    Without the files that they map: how much of these is theirs changes with whoever else maps
    them, as the standby beside it does.
    """
    leader, total = psutil.Process(process), 0.0
    for each in (leader, *leader.children(recursive=True)):
        with suppress(FileNotFoundError, ProcessLookupError, KeyError):  # it has ended
            total += rollup(each.pid)["Pss_Anon"]
    return total


@contextmanager
def peak_of(served: Served) -> Iterator[list[float]]:
    """Yield a list whose last value is the largest memory so far, looked at twice a second."""
    peak, done = [memory_of(served.process)], threading.Event()

    def look() -> None:
        while not done.wait(0.5):
            peak.append(max(peak[-1], memory_of(served.process)))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def attacked(served: Served, listener: Listener, attack: Attack, seconds: float) -> Found:
    """Attack, and return what the attacker and a well-behaved client saw.

    Args:
        seconds: how long attacks go on that do not end by themselves.
    """
    with Client(listener, served.body) as client, peak_of(served) as peak:
        end = time.monotonic() + AT_LEAST
        answers: Answers = attack.run(listener, served.model, seconds)
        time.sleep(max(0, end - time.monotonic()))
    times = quantiles(client.seen.seconds, n=100)
    return Found(
        attack.name,
        listener.name,
        dict(answers),
        sorted(attack.documented),
        len(client.seen.seconds),
        client.seen.failures,
        p50_ms=1000 * times[49],
        p99_ms=1000 * times[98],
        memory_mb=(served.memory_before, peak[-1], served.memory_after()),
    )

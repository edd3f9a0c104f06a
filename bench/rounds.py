"""Interleaved rounds: what else the machine does meets every system alike."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Self, TypeVar

from bench import wrk
from bench.plan import Pace
from bench.wrk import Load, Sample

Key = TypeVar("Key")


@dataclass(frozen=True)
class Spread:
    """The median of the rounds, the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Summarize one value a round."""
        known = list(values)
        return cls(median(known), min(known), max(known))

    @classmethod
    def ratio(cls, these: Iterable[float], those: Iterable[float]) -> Self:
        """Divide one system's samples by another's, round by round."""
        return cls.of(this / that for this, that in zip(these, those, strict=True))


def interleaved(
    loads: Mapping[Key, Load], pace: Pace, advance: Callable[[], None]
) -> dict[Key, list[Sample]]:
    """Take a sample a round of each load: A B C, A B C, …"""
    samples: dict[Key, list[Sample]] = {key: [] for key in loads}
    for _ in range(pace.rounds):
        for key, load in loads.items():
            samples[key].append(once(load, pace))
            advance()
    return samples


def once(load: Load, pace: Pace) -> Sample:
    """Take one load's turn."""
    if pace.warm_up:
        wrk.run(load, pace.warm_up)
    sample = wrk.run(load, pace.seconds)
    wrk.settle(load)
    return sample

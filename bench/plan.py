"""How long the bench measures, and at which sizes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How often, in turn with the others, and for how many seconds each is asked."""

    rounds: int
    seconds: int
    warm_up: int = 1


@dataclass(frozen=True)
class Plan:
    """One way to run the bench."""

    name: str
    headline: Pace
    growth: Pace
    starts: int
    """How often serving is started to see when it is ready."""
    rows: tuple[int, ...]
    """In one request."""
    connections: tuple[int, ...]
    columns: tuple[int, ...]
    models: tuple[int, ...]


FULL = Plan(
    name="full",
    headline=Pace(rounds=5, seconds=4),
    growth=Pace(rounds=3, seconds=2),
    starts=5,
    rows=(1, 10, 100, 1000, 10_000),
    connections=(1, 4, 16, 64, 256),
    columns=(12, 50, 150, 500),
    models=(1, 5, 10, 20),
)
QUICK = Plan(
    name="quick",
    headline=Pace(rounds=3, seconds=1, warm_up=0),
    growth=Pace(rounds=1, seconds=1, warm_up=0),
    starts=2,
    rows=(1, 1000, 10_000),
    connections=(1, 16, 64),
    columns=(12, 100),
    models=(1, 2),
)

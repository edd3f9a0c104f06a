"""The whole bench: everything started, measured in turn, and stopped."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from bench import memory, pyfunc_requests, ready, rounds, systems, wrk
from bench.growth import Growth, Point
from bench.memory import Memory
from bench.plan import Pace, Plan
from bench.rounds import Key, Spread
from bench.stage import Model, Stage, opened
from bench.systems import BehindProxy, System
from bench.wrk import Load, Sample
from terna.progress import Reporter

BUSY = 16
"""Connections that the systems' throughput is compared at."""
BATCH = 1000
"""Rows of one request that serving's own time is told for."""
PEERS = (systems.mlflow, systems.bentoml)


@dataclass(frozen=True)
class Findings:
    """What was measured; samples are in the order of the rounds."""

    plan: Plan
    busy: Mapping[str, Sequence[Sample]]
    """One row at 16 connections, by system."""
    alone: Mapping[str, Sequence[Sample]]
    """One row at 1 connection, by system."""
    memory: Mapping[str, Memory]
    """After that load, by system."""
    memory_after_pyfunc: Memory
    """Serving's, after requests that its compiled model leaves to pyfunc."""
    server_ms: Spread
    """Serving's own time for 1000 rows, as nginx logged it."""
    ready_s: Spread
    first_pyfunc_s: Spread
    """What the first request takes that the compiled model leaves to pyfunc."""
    workers: Mapping[int, Sequence[Sample]]
    """Serving at 16 connections, by its number of workers."""
    growth: Mapping[str, Sequence[Point]]


def run(plan: Plan, root: Path, reporter: Reporter) -> Findings:
    """Measure below `root`, whose content is replaced.

    Raises:
        TernaError: a system does not start, or labels customers otherwise than the model does.
    """
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    with opened(root.absolute(), reporter) as stage:
        return Bench(stage, stage.churn(), plan).run()


@dataclass(frozen=True)
class Bench:
    """One model, and how long it is measured."""

    stage: Stage
    model: Model
    plan: Plan

    def run(self) -> Findings:
        """Start the systems, ask them in turn, and return what was found."""
        with ExitStack() as up:
            terna, peers = self._started(up)
            pyfunc = up.enter_context(systems.pyfunc(self.stage, self.model))
            pyfunc.check()
            compared = [terna, pyfunc, *peers]
            loads = {
                (each.name, connections): each.load(connections=connections)
                for connections in (BUSY, 1)
                for each in compared
            }
            samples = self._interleaved("one row", loads)
            ready_s, first_pyfunc_s = self._ready_s()
            return Findings(
                self.plan,
                busy={each.name: samples[each.name, BUSY] for each in compared},
                alone={each.name: samples[each.name, 1] for each in compared},
                memory={each.name: memory.of(each) for each in compared},
                memory_after_pyfunc=pyfunc_requests.memory_after(terna),
                ready_s=ready_s,
                first_pyfunc_s=first_pyfunc_s,
                workers=self._workers(terna),
                growth=self._growth(terna, peers),
                server_ms=self._server_ms(terna),
            )

    def _started(self, up: ExitStack) -> tuple[BehindProxy, list[System]]:
        """Start serving, and beside it the peers, which must agree with it, and the echo."""
        with self.stage.reporter.step("starting serving and its peers"):
            terna = up.enter_context(systems.terna(self.stage, self.model))
            peers = [up.enter_context(start(self.stage, self.model)) for start in PEERS]
            for system in (terna, *peers):
                system.check()
            return terna, [*peers, up.enter_context(systems.echo(self.stage, self.model))]

    def _interleaved(self, label: str, loads: Mapping[Key, Load]) -> dict[Key, list[Sample]]:
        pace = self.plan.headline
        with self.stage.reporter.step(label, pace.rounds * len(loads)) as advance:
            return rounds.interleaved(loads, pace, advance)

    def _server_ms(self, terna: BehindProxy) -> Spread:
        pace = self.plan.headline
        with self.stage.reporter.step(f"{BATCH} rows", pace.rounds) as advance:
            return Spread.of([_logged_ms(terna, pace, advance) for _ in range(pace.rounds)])

    def _ready_s(self) -> tuple[Spread, Spread]:
        with self.stage.reporter.step("ready", self.plan.starts) as advance:
            return ready.seconds(self.stage, self.model, self.plan.starts, advance)

    def _workers(self, one: System) -> dict[int, list[Sample]]:
        with systems.terna(self.stage, self.model, "workers", workers=2) as two:
            loads = {1: one.load(connections=BUSY), 2: two.load(connections=BUSY)}
            return self._interleaved("two workers", loads)

    def _growth(self, terna: System, peers: Sequence[System]) -> dict[str, list[Point]]:
        """Measure how times grow; rows last, as 10 000 of them stay in the worker's memory."""
        growth = Growth(self.stage, self.model, terna, peers, self.plan)
        return {
            "connections": growth.by_connections(),
            "columns": growth.by_columns(),
            "models": growth.by_models(),
            "rows": growth.by_rows(),
        }


def _logged_ms(terna: BehindProxy, pace: Pace, advance: Callable[[], None]) -> float:
    """Return the mean of one round: nginx counts whole milliseconds, and so would a median."""
    load = terna.load(rows=BATCH)
    wrk.run(load, max(1, pace.warm_up))
    terna.proxy.forget_requests()
    wrk.run(load, pace.seconds)
    advance()
    return fmean(terna.proxy.logged_ms())

"""How time and memory grow: with rows, connections, columns and loaded models."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from bench import memory, rounds, systems, wrk
from bench.memory import Memory
from bench.plan import Plan
from bench.rounds import Key, Spread
from bench.stage import Model, Stage
from bench.systems import System
from bench.wrk import Load, Sample
from terna.errors import TernaError


@dataclass(frozen=True)
class Point:
    """One system at one size."""

    system: str
    size: int
    throughput: Spread
    """Answers a second."""
    mean_ms: float
    """Of one answer: connections / throughput, which no round is too short for."""
    failed: int
    memory: Memory | None
    """Serving's."""


@dataclass(frozen=True)
class Growth:
    """Where, beside whom, and at which sizes."""

    stage: Stage
    model: Model
    terna: System
    peers: Sequence[System]
    plan: Plan

    def by_connections(self) -> list[Point]:
        """Ask for one row over several connections at once."""
        return self._beside_peers("connections", self.plan.connections)

    def by_rows(self) -> list[Point]:
        """Ask for several rows in one request, over one connection."""
        return self._beside_peers("rows", self.plan.rows)

    def by_columns(self) -> list[Point]:
        """Columns of the model; one row, one connection."""
        with ExitStack() as up:
            servers = dict(self._with_columns(up))
            loads = {columns: server.load() for columns, server in servers.items()}
            samples = self._rounds("columns", loads)
            return [
                _point("terna", columns, 1, samples[columns], memory.of(server))
                for columns, server in servers.items()
            ]

    def by_models(self) -> list[Point]:
        """Load several models and ask the first: one row, one connection.

        Serving loads one model a process: these are processes, and each follows the registry.
        """
        return list(self._by_models())

    def _with_columns(self, up: ExitStack) -> Iterator[tuple[int, System]]:
        """Yield those that answer; a size that serving cannot load in time is told and left out."""
        smallest, *wider = self.plan.columns
        yield smallest, self.terna
        for columns in wider:
            model, label = self.stage.wide(columns), f"columns-{columns}"
            try:
                yield columns, up.enter_context(systems.terna(self.stage, model, label))
            except TernaError as error:
                self.stage.reporter.say(f"{columns} columns are left out: {error}")

    def _by_models(self) -> Iterator[Point]:
        with ExitStack() as up:
            running = [self.terna]
            for size in self.plan.models:
                for number in range(len(running), size):
                    server = systems.serving(self.stage, self.model, f"model-{number}")
                    running.append(up.enter_context(server))
                    running[-1].wait()
                samples = self._rounds(f"models: {size}", {size: self.terna.load()})[size]
                yield _point("terna", size, 1, samples, _together(running))

    def _beside_peers(self, what: str, sizes: Sequence[int]) -> list[Point]:
        loads = {
            (size, each.name): each.load(**{what: size})
            for size in sizes
            for each in (self.terna, *self.peers)
        }
        # Memory is read while the sizes rise: what a process once took it seldom gives back.
        held = {(size, "terna"): self._held(loads[size, "terna"]) for size in sizes}
        samples = self._rounds(what, loads)
        return [
            _point(name, size, load.connections, samples[size, name], held.get((size, name)))
            for (size, name), load in loads.items()
        ]

    def _held(self, load: Load) -> Memory:
        wrk.run(load, self.plan.growth.seconds)
        return memory.of(self.terna)

    def _rounds(self, what: str, loads: Mapping[Key, Load]) -> dict[Key, list[Sample]]:
        pace = self.plan.growth
        with self.stage.reporter.step(f"growing {what}", pace.rounds * len(loads)) as advance:
            return rounds.interleaved(loads, pace, advance)


def _point(
    system: str, size: int, connections: int, samples: Sequence[Sample], held: Memory | None
) -> Point:
    throughput = Spread.of([sample.throughput for sample in samples])
    failed = sum(sample.failed for sample in samples)
    return Point(system, size, throughput, 1000 * connections / throughput.median, failed, held)


def _together(servers: Sequence[System]) -> Memory:
    """Return the worker of the first, and all processes of all."""
    each = [memory.of(server) for server in servers]
    everything = sum(held.all_pss_mb for held in each)
    return replace(each[0], all_pss_mb=everything, processes=sum(held.processes for held in each))

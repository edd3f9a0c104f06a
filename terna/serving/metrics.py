"""What Prometheus scrapes: counted in every process, told by whichever worker is asked.

Each process counts in a file of its own, and the page adds the files up:
https://prometheus.github.io/client_python/multiprocess/
"""

import os
from bisect import bisect_left
from collections import Counter as Counting
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

CONTENT_TYPE = CONTENT_TYPE_LATEST

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable with the files' folder; read when prometheus_client is imported."""

LATENCIES = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 25)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)

REQUESTS = Counter("terna_requests", "Requests answered.", ["route", "status"])
SECONDS = Histogram(
    "terna_request_seconds", "From a request's head to its answer.", ["route"], buckets=LATENCIES
)
ROWS = Histogram("terna_request_rows", "Rows of a request that a model answered.", buckets=SIZES)
IN_FLIGHT = Gauge(
    "terna_requests_in_flight", "Requests not answered yet.", multiprocess_mode="livesum"
)
FAILURES = Counter(
    "terna_compiled_model_failures", "Times that a compiled model failed on plain rows."
)
SWAPS = Counter("terna_swaps", "Versions that workers were to swap in.", ["result"])
VERSIONS = Counter(
    "terna_versions", "Versions that were judged, and what became of them.", ["result"]
)
MODEL = Gauge(
    "terna_model_info",
    "1 for the version by which a live worker answers, and by which backend.",
    ["name", "version", "backend"],
    multiprocess_mode="livemax",
)
BACKEND = Gauge(
    "terna_backend_info",
    "1 for the version that was validated last, with its backend, and why that one.",
    ["name", "version", "backend"],
    multiprocess_mode="livemax",
)
CONTACT = Gauge(
    "terna_registry_contact_timestamp_seconds",
    "When the registry answered last, in Unix time.",
    multiprocess_mode="max",
)


class RequestCounters:
    """What one thread counts, request by request, until it hands it on.

    Counting a request with Prometheus' own objects takes 10 µs, which is as much as answering it.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self._requests: Counting[tuple[str, int]] = Counting()
        self._seconds: dict[str, Values] = {}
        self._rows = Values(SIZES)

    def count(self, route: str, status: int, seconds: float, rows: int) -> None:
        """One request that was answered."""
        self._requests[route, status] += 1
        if route not in self._seconds:
            self._seconds[route] = Values(LATENCIES)
        self._seconds[route].add(seconds)
        if rows:
            self._rows.add(rows)

    def hand_on(self) -> None:
        """Let the page tell it."""
        IN_FLIGHT.set(self.in_flight)
        for (route, status), requests in self._requests.items():
            REQUESTS.labels(route, status).inc(requests)
        for route, values in self._seconds.items():
            values.hand_on(SECONDS.labels(route))
        self._rows.hand_on(ROWS)
        self._requests.clear()


class Values:
    """Some values of a histogram."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._sum = 0.0
        self._counts = [0] * (len(bounds) + 1)

    def add(self, value: float) -> None:
        self._sum += value
        self._counts[bisect_left(self._bounds, value)] += 1

    def hand_on(self, histogram: Histogram) -> None:
        """All at once, as `Histogram.observe` does it with one."""
        histogram._sum.inc(self._sum)
        for bucket, count in zip(histogram._buckets, self._counts, strict=True):
            if count:
                bucket.inc(count)
        self._sum, self._counts = 0.0, [0] * len(self._counts)


class Info:
    """A gauge that is 1 for one set of labels at a time."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._now: tuple[str, ...] = ()

    def tell(self, *labels: str) -> None:
        if self._now:
            self._gauge.labels(*self._now).set(0)
        self._gauge.labels(*labels).set(1)
        self._now = labels


def page() -> bytes:
    """All processes' counts, in Prometheus' text format."""
    if FOLDER not in os.environ:
        return generate_latest()
    folder = Path(os.environ[FOLDER])
    _forget_dead(folder)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def begin(folder: Path) -> None:
    """Forget what earlier servers counted here; the processes started from now on count here."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for counted in folder.glob("*.db"):
        counted.unlink()
    os.environ[FOLDER] = str(folder)


def _forget_dead(folder: Path) -> None:
    """What a process that has ended had in flight, or answered with, is no more."""
    for file in folder.glob("gauge_live*_*.db"):
        process = file.stem.rpartition("_")[2]
        if not Path("/proc", process).exists():
            mark_process_dead(int(process), str(folder))  # type: ignore[no-untyped-call]

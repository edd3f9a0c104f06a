"""Metrics for Prometheus: counted in every process, rendered by whichever worker is asked.

Each process counts in a file of its own, and `render` adds the files up:
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
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

CONTENT_TYPE = CONTENT_TYPE_LATEST

MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's own variable with the files' folder; it reads it when it is imported."""

LATENCIES = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 25)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
"""Upper bounds of the histograms' buckets: seconds, and rows."""

REQUESTS = Counter("terna_requests", "Requests answered.", ["route", "status"])
SECONDS = Histogram(
    "terna_request_seconds", "From a request's head to its answer.", ["route"], buckets=LATENCIES
)
ROWS = Histogram("terna_request_rows", "Rows of a request that a model answered.", buckets=SIZES)
IN_FLIGHT = Gauge(
    "terna_requests_in_flight", "Requests not answered yet.", multiprocess_mode="livesum"
)
FAILURES = Counter(
    "terna_compiled_model_failures", "Times that a compiled model failed on rows that fit it."
)
SWAPS = Counter("terna_swaps", "Versions that workers were to swap in.", ["result"])
VERSIONS = Counter("terna_versions", "Versions that were validated or rejected.", ["result"])
DAMAGED = Counter(
    "terna_model_cache_damaged", "Files of the model cache that were changed or damaged."
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
RESTARTS = Counter(
    "terna_restarts", "Processes that the server started again, as one died or hung.", ["process"]
)
CONTACT = Gauge(
    "terna_registry_contact_timestamp_seconds",
    "When the registry answered last, in Unix time.",
    multiprocess_mode="max",
)
CERTIFICATE_EXPIRY = Gauge(
    "terna_certificate_expiry_timestamp_seconds",
    "When the certificate of a server expires, in Unix time.",
    ["server"],
    multiprocess_mode="mostrecent",
)


class RequestCounters:
    """What one thread counts, request by request, until it is flushed.

    Counting a request with Prometheus' own objects takes 10 µs, which is as much as answering it.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self._requests: Counting[tuple[str, int]] = Counting()
        self._seconds: dict[str, HistogramBuffer] = {}
        self._rows = HistogramBuffer(SIZES)

    def count(self, route: str, status: int, seconds: float, rows: int) -> None:
        """Count one request that was answered."""
        self._requests[route, status] += 1
        if route not in self._seconds:
            self._seconds[route] = HistogramBuffer(LATENCIES)
        self._seconds[route].add(seconds)
        if rows:
            self._rows.add(rows)

    def flush(self) -> None:
        """Hand the counts to Prometheus' objects."""
        IN_FLIGHT.set(self.in_flight)
        for (route, status), requests in self._requests.items():
            REQUESTS.labels(route, status).inc(requests)
        for route, seconds in self._seconds.items():
            seconds.flush(SECONDS.labels(route))
        self._rows.flush(ROWS)
        self._requests.clear()


class HistogramBuffer:
    """Values of a histogram, kept until they are flushed to it."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._sum = 0.0
        self._counts = [0] * (len(bounds) + 1)

    def add(self, value: float) -> None:
        """Count one value."""
        self._sum += value
        self._counts[bisect_left(self._bounds, value)] += 1

    def flush(self, histogram: Histogram) -> None:
        """Add all values at once to a histogram, as `Histogram.observe` does with one."""
        histogram._sum.inc(self._sum)
        for bucket, count in zip(histogram._buckets, self._counts, strict=True):
            if count:
                bucket.inc(count)
        self._sum, self._counts = 0.0, [0] * len(self._counts)


class Info:
    """A gauge that is 1 for one set of labels at a time."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._labels: tuple[str, ...] = ()

    def set(self, *labels: str) -> None:
        """Set the gauge to 1 for these labels, and to 0 for those before."""
        if self._labels:
            self._gauge.labels(*self._labels).set(0)
        self._gauge.labels(*labels).set(1)
        self._labels = labels


def render() -> bytes:
    """Return the counts of all processes, in Prometheus' text format."""
    if MULTIPROCESS_DIR not in os.environ:
        return generate_latest()
    folder = Path(os.environ[MULTIPROCESS_DIR])
    _remove_dead(folder)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def reset(folder: Path) -> None:
    """Remove what earlier servers counted in this folder, and count in it from now on."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink()
    os.environ[MULTIPROCESS_DIR] = str(folder)
    # This process counts there as well. prometheus_client chose otherwise when it was imported,
    # for what has no label; a value with a label is made when the label is first named.
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
    for process in ("worker", "agent"):
        RESTARTS.labels(process)


def _remove_dead(folder: Path) -> None:
    """Remove the live gauges of processes that have ended: in flight, and which version."""
    for file in folder.glob("gauge_live*_*.db"):
        process = file.stem.rpartition("_")[2]
        if not Path("/proc", process).exists():
            mark_process_dead(int(process), str(folder))  # type: ignore[no-untyped-call]

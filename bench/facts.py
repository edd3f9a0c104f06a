"""The findings for machines: the figures that serving is judged by, and all that led to them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.growth import Point
from bench.rounds import Spread
from bench.run import Findings
from bench.wrk import Sample

SECOND_WORKER = "ratios.throughput_c16_second_worker_adds"
CORES_FOR_TWO = 4
"""Two workers, and a core each for nginx and for the load generator."""

Facts = dict[str, Any]


def of(findings: Findings, machine: Mapping[str, Any]) -> Facts:
    """Return all as JSON holds it. `ratios`, `server_ms_1000_rows`, `worker_rss_mb` and `ready_s`
    are medians; `spread` has the lowest and the highest round of each."""
    figures = headline(findings)
    unknown = _too_few_cores(figures, machine["cores"]) | _not_loaded(findings)
    values = {key: None if key in unknown else each.median for key, each in figures.items()}
    return {
        **_nested(values),
        "spread": {key: [each.low, each.high] for key, each in figures.items()},
        "unknown": unknown,
        "systems": {name: _system(findings, name) for name in findings.busy},
        "growth": {
            what: [_point(point) for point in points] for what, points in findings.growth.items()
        },
        "plan": asdict(findings.plan),
        "machine": dict(machine),
    }


def headline(findings: Findings) -> dict[str, Spread]:
    """Return the figures that have goals, by their place in the facts."""
    busy = {name: _throughputs(samples) for name, samples in findings.busy.items()}
    alone = {name: [each.p50_ms for each in samples] for name, samples in findings.alone.items()}
    one, two = (_throughputs(findings.workers[number]) for number in (1, 2))
    added = [both / single - 1 for both, single in zip(two, one, strict=True)]
    return {
        "ratios.throughput_c16_vs_mlflow": Spread.ratio(busy["terna"], busy["mlflow"]),
        "ratios.throughput_c16_vs_bentoml_onnx": Spread.ratio(busy["terna"], busy["bentoml"]),
        "ratios.throughput_c16_vs_echo": Spread.ratio(busy["terna"], busy["echo"]),
        "ratios.throughput_c16_pyfunc_vs_mlflow": Spread.ratio(busy["pyfunc"], busy["mlflow"]),
        SECOND_WORKER: Spread.of(added),
        "ratios.p50_c1_vs_mlflow": Spread.ratio(alone["terna"], alone["mlflow"]),
        "ratios.throughput_most_rows_vs_mlflow": _most_rows(findings.growth["rows"]),
        "server_ms_1000_rows": findings.server_ms,
        "worker_rss_mb": Spread.of([findings.memory["terna"].rss_mb]),
        "worker_rss_after_pyfunc_mb": Spread.of([findings.memory_after_pyfunc.rss_mb]),
        "ready_s": findings.ready_s,
        "first_pyfunc_s": findings.first_pyfunc_s,
    }


def _most_rows(points: Sequence[Point]) -> Spread:
    """Return serving's answers a second by mlflow's, for the request with the most rows."""
    most = max(point.size for point in points)
    ours, theirs = (
        next(each.throughput for each in points if (each.size, each.system) == (most, name))
        for name in ("terna", "mlflow")
    )
    return Spread(ours.median / theirs.median, ours.low / theirs.high, ours.high / theirs.low)


def _too_few_cores(figures: Mapping[str, Spread], cores: int) -> dict[str, str]:
    """Say why the second worker's figure is null."""
    if cores >= CORES_FOR_TWO:
        return {}
    measured = f"{figures[SECOND_WORKER].median:+.0%} measured"
    return {SECOND_WORKER: f"takes {CORES_FOR_TWO} cores, here are {cores} ({measured})"}


def _not_loaded(findings: Findings) -> dict[str, str]:
    """Return the models that serving did not load in time."""
    loaded = {point.size for point in findings.growth["columns"]}
    left_out = [columns for columns in findings.plan.columns if columns not in loaded]
    return {f"growth.columns.{columns}": "not loaded in time" for columns in left_out}


def _nested(values: Mapping[str, float | None]) -> Facts:
    """`ratios.x` becomes x in `ratios`."""
    nested: Facts = {}
    for key, value in values.items():
        group, _, name = key.rpartition(".")
        (nested.setdefault(group, {}) if group else nested)[name] = value
    return nested


def _system(findings: Findings, name: str) -> Facts:
    busy, alone = findings.busy[name], findings.alone[name]
    return {
        "throughput_c16": asdict(Spread.of(_throughputs(busy))),
        "p50_c16_ms": asdict(Spread.of(each.p50_ms for each in busy)),
        "p99_c16_ms": asdict(Spread.of(each.p99_ms for each in busy)),
        "p50_c1_ms": asdict(Spread.of(each.p50_ms for each in alone)),
        "failed": sum(each.failed for each in (*busy, *alone)),
        "memory": asdict(findings.memory[name]),
    }


def _point(point: Point) -> Facts:
    return {key: value for key, value in asdict(point).items() if value is not None}


def _throughputs(samples: Iterable[Sample]) -> Sequence[float]:
    return [sample.throughput for sample in samples]

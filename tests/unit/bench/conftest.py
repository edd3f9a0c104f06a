"""Findings as a run on a quiet machine could have them."""

import pytest

from bench.growth import Point
from bench.memory import Memory
from bench.plan import QUICK
from bench.rounds import Spread
from bench.run import Findings
from bench.wrk import Sample

SECONDS = 2.0


def sample(throughput: float, p50_ms: float, failed: int = 0) -> Sample:
    return Sample(round(throughput * SECONDS), failed, SECONDS, p50_ms, 2 * p50_ms)


def points(what: str, sizes: tuple[int, ...]) -> list[Point]:
    names = ("terna", "mlflow") if what in ("rows", "connections") else ("terna",)
    return [
        Point(name, size, throughput, 1.1 * size, 0, memory if name == "terna" else None)
        for size in sizes
        for name in names
        for memory in [Memory(100 + size, 80, 200 + size, 2)]
        for throughput in [Spread(900, 800, 1000) if name == "terna" else Spread(100, 80, 125)]
    ]


@pytest.fixture
def findings() -> Findings:
    busy = {
        "terna": [sample(8000, 2), sample(9000, 2), sample(4000, 4)],
        "pyfunc": [sample(60, 300)] * 3,
        "mlflow": [sample(40, 400), sample(45, 350), sample(10, 900)],
        "bentoml": [sample(500, 30)] * 3,
        "echo": [sample(10000, 1)] * 3,
    }
    alone = {name: [sample(50, 2 if name == "terna" else 80)] * 3 for name in busy}
    return Findings(
        plan=QUICK,
        busy=busy,
        alone=alone,
        memory={name: Memory(120, 90, 200, 3) for name in busy},
        memory_after_pyfunc=Memory(121, 91, 400, 5),
        ready_s=Spread(1.5, 1.4, 1.6),
        first_pyfunc_s=Spread(0.1, 0.1, 0.2),
        workers={1: [sample(5000, 1)] * 3, 2: [sample(9000, 1)] * 3},
        growth={
            "connections": points("connections", QUICK.connections),
            "columns": points("columns", QUICK.columns),
            "models": points("models", QUICK.models),
            "rows": points("rows", QUICK.rows),
        },
        server_ms=Spread(6.2, 6, 7),
    )


@pytest.fixture
def machine() -> dict[str, object]:
    versions = ("python", "nginx", "granian", "mlflow", "scikit-learn", "bentoml", "onnxruntime")
    return {
        "day": "2026-11-21",
        "cores": 8,
        "processor": "a processor",
        "memory_gb": 16.0,
        "load_before": 0.1,
        **dict.fromkeys(versions, "1.2.3"),
    }

"""What runs in the child process that validates a version."""

from pathlib import Path
from typing import Any

import pytest

from terna.predictor.predictor import Predictor
from terna.serving.agent import validation
from terna.serving.agent.child import Job
from terna.serving.cache.compiled_cache import cache_key
from tests.unit.workshop import Workshop


@pytest.mark.parametrize(("seconds", "times"), [(0.01, 5), (0.2, 3), (7.0, 1)])
def test_slow_model_is_measured_fewer_times(
    workshop: Workshop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    times: int,
) -> None:
    folder, asked = workshop.make(tmp_path / "model"), 0

    def measure(_predictor: Predictor, _request: Any) -> float:
        nonlocal asked
        asked += 1
        return seconds

    monkeypatch.setattr(validation, "measure_seconds", measure)
    report = validation.validate(
        Job(workshop.version, folder, cache_key(folder), compile_models=False)
    )

    assert (report.seconds, asked) == ({"pyfunc": seconds}, times)

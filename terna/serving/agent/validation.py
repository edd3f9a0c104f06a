"""The validation of one version, in the child process that the agent starts for it."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.verification import verification
from terna.contracts import reference_rows
from terna.contracts.version import Version
from terna.errors import NotCompilable, ReferenceMismatch
from terna.predictor.compiled_predictor import COMPILED, PYFUNC
from terna.predictor.model_process import Answer
from terna.predictor.predictor import Predictor
from terna.predictor.pyfunc_model import PyfuncModel
from terna.predictor.reference_check import check_reference_rows, scoring_request
from terna.serving.agent.child import Job, Report
from terna.serving.confinement import go_first_when_memory_ends

REPEATS = 5
"""How often one row is predicted; the fastest time counts, as others share the machine."""

REPEAT_SECONDS = 0.5
"""Seconds after which it is not predicted again: such a model is measured well enough."""


def answer(version: Mapping[str, Any], folder: str, **job: Any) -> Answer:
    """Validate a version, in the child process that the agent asks.

    Args:
        version: as the fields of `Version`.
        folder: its directory, whose signature has been verified.
        job: the other fields of `Job`.

    Returns:
        The report as JSON has it, and the compiled model's bytes.

    Raises:
        ModelRejected: any subclass.
    """
    go_first_when_memory_ends()  # a container may have less than the limit
    report = validate(Job(Version(**version), Path(folder), **job))
    document = {
        "backend": report.backend,
        "seconds": dict(report.seconds),
        "summary": report.summary,
    }
    return document, report.compiled


def validate(job: Job) -> Report:
    """Load a version, ask it the reference rows, compile it, and measure its speed.

    A compiled model that does not answer as the pyfunc model does is left out.

    Raises:
        ModelRejected: any subclass.
    """
    pyfunc = PyfuncModel.load(job.version, job.folder)
    predictor = Predictor(job.version, lambda: pyfunc)
    check_reference_rows(predictor, job.folder)
    request = reference_rows.read(job.folder).first_row()
    seconds = {PYFUNC: _fastest(predictor, request)}
    try:
        compiled, summary = _compile(job, pyfunc)
        predictor = Predictor(job.version, lambda: pyfunc, compiled)
        _check_compiled(predictor, job.folder)
    except NotCompilable as error:
        return Report(f"{PYFUNC}: {error}", seconds)
    seconds[COMPILED] = _fastest(predictor, request)
    return Report(compiled.backend, seconds, summary, compiled.encode())


def _compile(job: Job, pyfunc: PyfuncModel) -> tuple[CompiledModel, str]:
    if not job.compile_models:
        raise NotCompilable("TERNA_SERVING_COMPILE says so")
    request = scoring_request(reference_rows.read(job.folder).request)
    rows = request.strictly_typed_rows(pyfunc.names) if pyfunc.names else None
    if not rows:
        raise NotCompilable("the reference rows are not strictly typed rows of named columns")
    compiled, report = verification.compile_verified(pyfunc.model, pyfunc, rows, job.cache_key)
    return compiled, (
        f"{compiled.backend}: {report.rows} rows compared, every split of"
        f" {report.trees_verified} of {report.trees} trees tried, in {report.seconds:.1f} s"
    )


def _check_compiled(predictor: Predictor, folder: Path) -> None:
    try:
        check_reference_rows(predictor, folder)
    except ReferenceMismatch as error:
        raise NotCompilable(f"compiled, {error}") from error


def _fastest(predictor: Predictor, request: Mapping[str, Any]) -> float:
    times: list[float] = []
    while len(times) < REPEATS and sum(times) < REPEAT_SECONDS:
        times.append(measure_seconds(predictor, request))
    return min(times)


def measure_seconds(predictor: Predictor, request: Mapping[str, Any]) -> float:
    """Return how many seconds one prediction takes."""
    start = time.perf_counter()
    predictor.predict(scoring_request(request))
    return time.perf_counter() - start

"""The validation of one version, in the child process that the agent starts for it."""

import json
import os
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.verification import verification
from terna.contracts import reference_rows
from terna.contracts.version import Version
from terna.errors import ModelRejected, NotCompilable, ReferenceMismatch
from terna.predictor.compiled_predictor import COMPILED, PYFUNC
from terna.predictor.predictor import Predictor
from terna.predictor.pyfunc_model import PyfuncModel
from terna.predictor.reference_check import check_reference_rows, scoring_request
from terna.serving.agent.child import Job, Report
from terna.serving.confinement import go_first_when_memory_ends

REPEATS = 5
"""How often one row is predicted; the fastest time counts, as others share the machine."""


def main(arguments: Sequence[str]) -> None:
    """Validate what the agent asks for, and answer through its pipe.

    Args:
        arguments: the pipe's descriptor, and a job as JSON.
    """
    pipe, document = int(arguments[0]), json.loads(arguments[1])
    go_first_when_memory_ends()  # a container may have less than the limit
    _limit(document.pop("memory_bytes"))
    version = Version(**document.pop("version"))
    with os.fdopen(pipe, "wb") as answer:
        answer.write(_answer(Job(version, Path(document.pop("folder")), **document)))
    os._exit(0)  # whatever threads the model has started


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
    return min(measure_seconds(predictor, request) for _ in range(REPEATS))


def measure_seconds(predictor: Predictor, request: Mapping[str, Any]) -> float:
    """Return how many seconds one prediction takes."""
    start = time.perf_counter()
    predictor.predict(scoring_request(request))
    return time.perf_counter() - start


def _limit(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it would hold customers' values


def _answer(job: Job) -> bytes:
    """Return one line of JSON, and the compiled model if there is one."""
    try:
        report = validate(job)
    except ModelRejected as error:
        return _line({"rejected": str(error)})
    except BaseException as error:  # a model may raise anything; its text may hold anything
        reason = f"{job.version} cannot be validated: {type(error).__name__}."
        return _line({"rejected": reason})
    document = {
        "backend": report.backend,
        "seconds": dict(report.seconds),
        "summary": report.summary,
    }
    return _line(document) + report.compiled


def _line(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"


if __name__ == "__main__":
    main(sys.argv[1:])

"""Validation in a child process, which a model may end, fill or hang without harm to the agent."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from terna.contracts.version import Version
from terna.errors import ValidationFailed
from terna.predictor import model_process
from terna.predictor.model_process import Limits, printable


@dataclass(frozen=True)
class Job:
    """What a child is to validate, as plain values."""

    version: Version
    folder: Path
    """A copy of the version's directory whose signature has been verified."""
    cache_key: str
    """What the compiled model is stored with."""
    compile_models: bool = True


@dataclass(frozen=True)
class Report:
    """What a child found of a version that answers its reference rows."""

    backend: str
    """Which backend answers, and why not the compiled one."""
    seconds: Mapping[str, float]
    """How long each backend takes for one row."""
    summary: str = ""
    """What was compared, for the log."""
    compiled: bytes = field(default=b"", repr=False)
    """The encoded compiled model; empty where there is none."""


def validate_in_child(job: Job, seconds: float, memory_bytes: int) -> Report:
    """Start a child process, and return what it finds.

    Raises:
        ModelRejected: the version does not load, or answers otherwise than in training.
        ValidationFailed: the child ended without an answer, or took longer than `seconds`.
    """
    limits = Limits(seconds, memory_bytes, "TERNA_SERVING_VALIDATION")
    arguments = asdict(job) | {"folder": str(job.folder)}
    try:
        document, compiled = model_process.ask(
            "terna.serving.agent.validation:answer", arguments, limits
        )
    except ValidationFailed as error:
        raise ValidationFailed(f"{job.version} cannot be validated. {error}") from error
    match document:
        case {"backend": str(backend), "seconds": dict(times), "summary": str(summary)}:
            seconds_of = {str(name): float(value) for name, value in times.items()}
            return Report(printable(backend), seconds_of, printable(summary), compiled)
    raise ValidationFailed(f"{job.version} cannot be validated: its answer is no report.")

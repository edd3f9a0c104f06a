"""The session: what every phase works with, put together once."""

import re
from dataclasses import dataclass
from typing import Any, Self

from terna.errors import SettingsError
from terna.predictor import model_process
from terna.predictor.model_process import Answer, Ask, Limits
from terna.progress import Reporter
from terna.registry.client import connect
from terna.registry.registry import MLflowRegistry, Registry
from terna.registry.runs import MLflowRuns, Runs
from terna.settings import Settings, Training
from terna.training.workspace import Workspace


@dataclass(frozen=True)
class Session:
    """The workspace, tracking and registry of one model's training."""

    name: str
    workspace: Workspace
    runs: Runs
    registry: Registry
    settings: Training
    reporter: Reporter
    require_release: bool = True
    """Whether serving wants a release of versions which hold code."""
    ask: Ask = model_process.ask

    @classmethod
    def open(cls, name: str, settings: Settings, reporter: Reporter) -> Self:
        """Put together a folder on disk and the tracking server; nothing connects yet.

        Raises:
            SettingsError: the name cannot be that of a model and its folder.
        """
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise SettingsError(f"A model's name is letters, digits, and _.- in it, not {name!r}.")
        client = connect(settings.tracking)
        return cls(
            name=name,
            workspace=Workspace(
                settings.training.workspace_dir / name, settings.training.table_key
            ),
            runs=MLflowRuns(client, settings.training.experiment),
            registry=MLflowRegistry(client, settings.tracking),
            settings=settings.training,
            reporter=reporter,
            require_release=settings.serving.require_release,
        )

    def ask_model(self, function: str, **arguments: Any) -> Answer:
        """Call a function of `terna.training.asking` in a child process.

        Raises:
            ValidationFailed: the model ends the process, or takes longer than it may.
            ModelRejected, DataError: any that the function raises.
        """
        return self.ask(f"terna.training.asking:{function}", arguments, limits(self.settings))

    def close_as_failed(self, run_id: str) -> None:
        """Close the MLflow run of a training that failed; where even that fails, say so."""
        try:
            self.runs.finish(run_id, failed=True)
        except Exception:
            self.reporter.say(f"The MLflow run {run_id} could not be closed as failed.")


def limits(settings: Training) -> Limits:
    """Return what a model may take in its child process."""
    return Limits(settings.model_seconds, settings.model_bytes, "TERNA_TRAINING_MODEL")

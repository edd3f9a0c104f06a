"""What a training run leaves in the tracking server: parameters, metrics, plots and its trials."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_PARENT_RUN_ID

from terna.registry.client import translate_errors


@dataclass(frozen=True)
class Source:
    """The table that a run was trained on: where it came from and a digest of its content."""

    name: str
    location: str
    digest: str
    rows: int


class Runs(Protocol):
    """What training needs of an experiment tracker.

    Every method raises `TrackingUnreachable` or `TrackingRefused`.
    """

    def start(self, name: str, parent: str | None = None) -> str:
        """Open a run, nested under `parent` if given; its id."""

    def log(
        self,
        run_id: str,
        params: Mapping[str, object] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add parameters, metrics and tags to a run."""

    def log_source(self, run_id: str, source: Source) -> None:
        """Name the table that the run was trained on."""

    def log_file(self, run_id: str, name: str, content: bytes) -> None:
        """Keep a file with the run, under `name`, which may hold folders."""

    def start_model(self, run_id: str, name: str) -> str:
        """Announce a logged model of this run; its id. `Registry.register` uploads it."""

    def finish(self, run_id: str, failed: bool = False) -> None:
        """Close a run."""


class MLflowRuns:
    """The runs of one experiment on an MLflow tracking server."""

    def __init__(self, client: MlflowClient, experiment: str) -> None:
        self._client = client
        self._experiment = experiment
        self._experiment_id = ""

    def start(self, name: str, parent: str | None = None) -> str:
        tags = {MLFLOW_PARENT_RUN_ID: parent} if parent else {}
        with translate_errors(self._client):
            run = self._client.create_run(self._find_experiment(), run_name=name, tags=tags)
        return str(run.info.run_id)

    def log(
        self,
        run_id: str,
        params: Mapping[str, object] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        now = int(time.time() * 1000)
        with translate_errors(self._client):
            self._client.log_batch(
                run_id,
                metrics=[Metric(k, float(v), now, 0) for k, v in (metrics or {}).items()],
                params=[Param(k, str(v)) for k, v in (params or {}).items()],
                tags=[RunTag(k, v) for k, v in (tags or {}).items()],
            )

    def log_source(self, run_id: str, source: Source) -> None:
        dataset = Dataset(
            name=source.name,
            digest=source.digest,
            source_type="table",
            source=source.location,
            profile=f'{{"num_rows": {source.rows}}}',
        )
        context = [InputTag(MLFLOW_DATASET_CONTEXT, "training")]
        with translate_errors(self._client):
            self._client.log_inputs(run_id, datasets=[DatasetInput(dataset, context)])

    def log_file(self, run_id: str, name: str, content: bytes) -> None:
        path = Path(name)
        with TemporaryDirectory() as folder, translate_errors(self._client):
            local = Path(folder, path.name)
            local.write_bytes(content)
            self._client.log_artifact(run_id, str(local), str(path.parent).strip("."))

    def start_model(self, run_id: str, name: str) -> str:
        with translate_errors(self._client):
            model = self._client.create_logged_model(
                self._find_experiment(), name=name, source_run_id=run_id
            )
        return str(model.model_id)

    def finish(self, run_id: str, failed: bool = False) -> None:
        with translate_errors(self._client):
            self._client.set_terminated(run_id, "FAILED" if failed else "FINISHED")

    def _find_experiment(self) -> str:
        self._experiment_id = self._experiment_id or self._experiment_by_name()
        return self._experiment_id

    def _experiment_by_name(self) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        if found is not None:
            return str(found.experiment_id)
        return str(self._client.create_experiment(self._experiment))

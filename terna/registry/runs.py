"""MLflow's runs: what training logs on the tracking server."""

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
    """The table that a run was trained on: where it comes from, and a digest of its content."""

    name: str
    location: str
    digest: str
    rows: int


class Runs(Protocol):
    """What training needs of an experiment tracker.

    Every method raises `TrackingUnreachable` or `TrackingRefused`.
    """

    def start(self, name: str, parent: str | None = None) -> str:
        """Start a run, nested under the run `parent` if given; return its id."""

    def log(
        self,
        run_id: str,
        params: Mapping[str, object] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add parameters, metrics and tags to a run."""

    def log_source(self, run_id: str, source: Source) -> None:
        """Log the table that the run was trained on."""

    def log_file(self, run_id: str, name: str, content: bytes) -> None:
        """Log a file as the run's artifact `name`, which may hold folders."""

    def start_model(self, run_id: str, name: str) -> str:
        """Create a logged model of this run; return its id. `register` uploads its files."""

    def finish(self, run_id: str, failed: bool = False) -> None:
        """End a run."""


class MLflowRuns:
    """The runs of one experiment on an MLflow tracking server."""

    def __init__(self, client: MlflowClient, experiment: str) -> None:
        """Keep the client and the experiment's name. Asks nothing yet."""
        self._client = client
        self._experiment = experiment
        self._experiment_id = ""

    def start(self, name: str, parent: str | None = None) -> str:
        """Start a run in the experiment, which is made when it is missing."""
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
        """Add parameters, metrics and tags in one request."""
        now = int(time.time() * 1000)
        with translate_errors(self._client):
            self._client.log_batch(
                run_id,
                metrics=[Metric(k, float(v), now, 0) for k, v in (metrics or {}).items()],
                params=[Param(k, str(v)) for k, v in (params or {}).items()],
                tags=[RunTag(k, v) for k, v in (tags or {}).items()],
            )

    def log_source(self, run_id: str, source: Source) -> None:
        """Log the table as a dataset of the context "training"."""
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
        """Log the content as an artifact."""
        path = Path(name)
        with TemporaryDirectory() as folder, translate_errors(self._client):
            local = Path(folder, path.name)
            local.write_bytes(content)
            self._client.log_artifact(run_id, str(local), str(path.parent).strip("."))

    def start_model(self, run_id: str, name: str) -> str:
        """Create a logged model without files."""
        with translate_errors(self._client):
            model = self._client.create_logged_model(
                self._find_experiment(), name=name, source_run_id=run_id
            )
        return str(model.model_id)

    def finish(self, run_id: str, failed: bool = False) -> None:
        """End the run as finished or failed."""
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

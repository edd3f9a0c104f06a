"""The model registry: the only state that the servers share.

`Registry` is what training and serving need of it, `MLflowRegistry` the real one.
"""

import warnings
from pathlib import Path
from typing import Protocol

from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus
from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import RestException
from mlflow.protos.databricks_pb2 import (
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
    ErrorCode,
)
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from terna.contracts.version import Version
from terna.registry.client import translate_errors

ALIAS = "production"
STAGE = "Production"
PROMOTED = "terna.production"
"""The registered model's tag that holds the version last promoted as a whole, alias and stage."""


class Registry(Protocol):
    """What training and serving need of a model registry.

    Every method raises `TrackingUnreachable` or `TrackingRefused`.
    """

    def check(self) -> None:
        """Ask the registry something that it translate_errors only when it works."""

    def production(self, name: str) -> Version | None:
        """The version in production; None while there is none."""

    def version(self, name: str, number: int) -> Version:
        """One version by its number."""

    def download(self, version: Version, folder: Path) -> None:
        """Copy the version's files into an existing folder, byte for byte."""

    def register(self, name: str, model: Path, model_id: str, run_id: str) -> Version:
        """Upload a model directory and make it the newest version of `name`."""

    def promote(self, version: Version) -> None:
        """Make this the version in production: alias and stage together."""

    def reconcile(self, version: Version) -> bool:
        """Complete a promotion to this version that moved only one of alias and stage.

        True when there was one; a promotion to another version is left alone.
        """

    def tag(self, version: Version, key: str, value: str) -> None:
        """Write a tag on the version, for people to read."""


class MLflowRegistry:
    """The registry of an MLflow tracking server."""

    def __init__(self, client: MlflowClient) -> None:
        self._client = client

    def check(self) -> None:
        with translate_errors(self._client):
            self._client.search_registered_models(max_results=1)

    def production(self, name: str) -> Version | None:
        model = self._find(name)
        number = model and production_number(model)
        return self.version(name, number) if number else None

    def version(self, name: str, number: int) -> Version:
        with translate_errors(self._client):
            found = self._client.get_model_version(name, str(number))
        return Version(name, number, found.source or "", found.run_id or "")

    def download(self, version: Version, folder: Path) -> None:
        with translate_errors(self._client):
            uri = self._client.get_model_version_download_uri(version.name, str(version.number))
            repository = get_artifact_repository(uri, tracking_uri=self._client.tracking_uri)
            repository.download_artifacts("", str(folder))

    def register(self, name: str, model: Path, model_id: str, run_id: str) -> Version:
        with translate_errors(self._client):
            self._upload(model, model_id)
            self._create(name)
            source = self._client.get_logged_model(model_id).artifact_location
            made = self._client.create_model_version(
                name, source=source, run_id=run_id, model_id=model_id
            )
        return Version(name, int(made.version), source, run_id)

    def promote(self, version: Version) -> None:
        number = str(version.number)
        with translate_errors(self._client):
            self._client.set_registered_model_alias(version.name, ALIAS, number)
            with warnings.catch_warnings():
                # Stages are deprecated, yet old clients still ask for models:/NAME/Production.
                warnings.simplefilter("ignore", FutureWarning)
                self._client.transition_model_version_stage(
                    version.name, number, STAGE, archive_existing_versions=True
                )
            self._client.set_registered_model_tag(version.name, PROMOTED, number)

    def reconcile(self, version: Version) -> bool:
        model = self._find(version.name)
        if model is None or _agree(model) or production_number(model) != version.number:
            return False
        self.promote(version)
        return True

    def tag(self, version: Version, key: str, value: str) -> None:
        with translate_errors(self._client):
            self._client.set_model_version_tag(version.name, str(version.number), key, value)

    def _find(self, name: str) -> RegisteredModel | None:
        with translate_errors(self._client):
            try:
                return self._client.get_registered_model(name)
            except RestException as error:
                if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                    raise
                return None

    def _create(self, name: str) -> None:
        try:
            self._client.create_registered_model(name)
        except RestException as error:
            if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                raise

    def _upload(self, model: Path, model_id: str) -> None:
        try:
            self._client.log_model_artifacts(model_id, str(model))
        except BaseException:
            self._client.finalize_logged_model(model_id, LoggedModelStatus.FAILED)
            raise
        self._client.finalize_logged_model(model_id, LoggedModelStatus.READY)


def production_number(model: RegisteredModel) -> int | None:
    """The version that alias and stage point to; where they differ, the one that was moved last.

    People promote in the MLflow UI, which moves only one of the two. `promote` leaves the version
    that both pointed to in a tag, so the one that differs from the tag is the one that moved. Where
    both did, the alias wins, as stages are deprecated.
    """
    alias, stage, before = _marks(model)
    if alias is None or stage is None:
        return alias or stage
    return stage if alias == before else alias


def _agree(model: RegisteredModel) -> bool:
    alias, stage, before = _marks(model)
    return alias == stage == before


def _marks(model: RegisteredModel) -> tuple[int | None, int | None, int | None]:
    alias = model.aliases.get(ALIAS)
    stage = max(
        (int(v.version) for v in model.latest_versions if v.current_stage == STAGE), default=None
    )
    before = model.tags.get(PROMOTED)
    return (int(alias) if alias else None, stage, int(before) if before else None)

"""The model registry: the only state that the servers share.

`Registry` is what training and serving need of it, `MLflowRegistry` the one on MLflow.
"""

import shutil
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import mlflow
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModelStatus
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import RestException
from mlflow.protos.databricks_pb2 import (
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
    ErrorCode,
)
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from terna.contracts.version import Version
from terna.errors import FilesRefused
from terna.registry.client import promoting, translate_errors
from terna.settings import Tracking

ALIAS = "production"
"""The alias of the version in production."""

STAGE = "Production"
"""The stage of the version in production, for clients that know no aliases."""

STATUS_TAG = "terna.serving"
"""The version's tag in which serving writes `SERVING`, or why it rejected the version."""

SERVING, REJECTED = "serving", "rejected"

PROMOTED_TAG = "terna.production"
"""The registered model's tag with the version that alias and stage were last moved to together."""


class Registry(Protocol):
    """What training and serving need of a model registry.

    Every method raises `TrackingUnreachable` or `TrackingRefused`.
    """

    def check(self) -> None:
        """Ask the registry something that it answers only when it works."""

    def production(self, name: str) -> Version | None:
        """Return the version in production; None while there is none."""

    def serving_version(self, name: str) -> Version | None:
        """Return the version that answers, as far as its tags tell; None while there is none.

        It is the one in production. Where serving has rejected that one, it is the newest that
        serves.
        """

    def version(self, name: str, number: int) -> Version:
        """Return one version by its number."""

    def fetch(self, source: str, folder: Path) -> None:
        """Copy the files of `runs:/…` or `models:/…` into an existing folder."""

    def list_files(self, version: Version, most: int) -> dict[str, int]:
        """Return the sizes of the version's files in bytes, by path.

        Raises:
            FilesRefused: there are more than `most`.
        """

    def download(self, version: Version, folder: Path, path: str = "") -> None:
        """Copy the version's files, or only that of a path, into an existing folder."""

    def register(self, name: str, model: Path, model_id: str, run_id: str) -> Version:
        """Upload a model directory and return it as the newest version of `name`."""

    def promote(self, version: Version) -> None:
        """Make this the version in production: alias and stage together."""

    def tag(self, version: Version, key: str, value: str) -> None:
        """Write a tag on the version, for people to read."""

    def set_alias(self, version: Version, alias: str) -> None:
        """Point an alias of the registered model to the version."""


class MLflowRegistry:
    """The registry of an MLflow tracking server."""

    def __init__(self, client: MlflowClient, tracking: Tracking | None = None) -> None:
        """Keep the client. Asks nothing yet.

        Args:
            tracking: the settings of the login that moves aliases; None for the client's own.
        """
        self._client = client
        self._tracking = tracking

    def check(self) -> None:
        """Ask for one registered model."""
        with translate_errors(self._client):
            self._client.search_registered_models(max_results=1)

    def production(self, name: str) -> Version | None:
        """Return the version that `production_number` finds."""
        model = self._find(name)
        number = model and production_number(model)
        return self.version(name, number) if number else None

    def serving_version(self, name: str) -> Version | None:
        """Return the version in production, or the newest that serves where it was rejected."""
        production = self.production(name)
        if production is None or not self._is_rejected(production):
            return production
        with translate_errors(self._client):
            found = self._client.search_model_versions(
                f"name = '{name}' AND tags.`{STATUS_TAG}` = '{SERVING}'",
                max_results=1,
                order_by=["version_number DESC"],
            )
        return _version(found[0]) if found else None

    def version(self, name: str, number: int) -> Version:
        """Return one version by its number."""
        with translate_errors(self._client):
            return _version(self._client.get_model_version(name, str(number)))

    def fetch(self, source: str, folder: Path) -> None:
        """Copy the files of a run's or registry's model into an existing folder."""
        with translate_errors(self._client):
            # For these URIs MLflow asks the server that is set for the whole process.
            before = mlflow.get_tracking_uri()
            mlflow.set_tracking_uri(self._client.tracking_uri)
            try:
                with TemporaryDirectory() as temporary:
                    fetched = download_artifacts(artifact_uri=source, dst_path=temporary)
                    shutil.copytree(fetched, folder, dirs_exist_ok=True)
            finally:
                mlflow.set_tracking_uri(before)

    def list_files(self, version: Version, most: int) -> dict[str, int]:
        """List folder by folder; each counts as a file, as it takes a request."""
        files: dict[str, int] = {}
        folders, listed = [""], 0
        with translate_errors(self._client):
            repository = self._repository(version)
            while folders:
                entries = repository.list_artifacts(folders.pop())
                listed += len(entries)
                if listed > most:
                    raise FilesRefused(f"{version} has more than {most} files.")
                folders += [entry.path for entry in entries if entry.is_dir]
                files |= {e.path: e.file_size or 0 for e in entries if not e.is_dir}
        return files

    def download(self, version: Version, folder: Path, path: str = "") -> None:
        """Copy the version's files, or only that of a path, into an existing folder."""
        with translate_errors(self._client):
            self._repository(version).download_artifacts(path, str(folder))

    def _repository(self, version: Version) -> ArtifactRepository:
        uri = self._client.get_model_version_download_uri(version.name, str(version.number))
        return get_artifact_repository(uri, tracking_uri=self._client.tracking_uri)

    def register(self, name: str, model: Path, model_id: str, run_id: str) -> Version:
        """Upload a model directory and return it as the newest version."""
        with translate_errors(self._client):
            self._upload(model, model_id)
            self._create(name)
            source = self._client.get_logged_model(model_id).artifact_location
            made = self._client.create_model_version(
                name, source=source, run_id=run_id, model_id=model_id
            )
        return Version(name, int(made.version), source, run_id)

    def promote(self, version: Version) -> None:
        """Move the alias; the tracking server moves stage and tag with it."""
        self.set_alias(version, ALIAS)

    def tag(self, version: Version, key: str, value: str) -> None:
        """Write a tag on the version."""
        with translate_errors(self._client):
            self._client.set_model_version_tag(version.name, str(version.number), key, value)

    def set_alias(self, version: Version, alias: str) -> None:
        """Point an alias to the version, as the login that promotes."""
        login = promoting(self._tracking) if self._tracking else nullcontext()
        with login, translate_errors(self._client, "TERNA_TRACKING_PROMOTING"):
            self._client.set_registered_model_alias(version.name, alias, str(version.number))

    def _is_rejected(self, version: Version) -> bool:
        with translate_errors(self._client):
            found = self._client.get_model_version(version.name, str(version.number))
        return str(found.tags.get(STATUS_TAG, "")).startswith(REJECTED)

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
    """Return the version in production by alias and stage; where they differ, the one moved last.

    The tracking server moves both together and then writes the version into a tag. Where it ended
    in between, one differs from the tag: that one has moved since. Where both differ, the alias
    wins, as stages are deprecated.
    """
    alias, stage, before = _pointers(model)
    if alias is None or stage is None:
        return alias or stage
    return stage if alias == before else alias


def _version(found: ModelVersion) -> Version:
    return Version(found.name, int(found.version), found.source or "", found.run_id or "")


def _pointers(model: RegisteredModel) -> tuple[int | None, int | None, int | None]:
    """Return the versions that alias, stage and tag name."""
    alias = model.aliases.get(ALIAS)
    stage = max(
        (int(v.version) for v in model.latest_versions if v.current_stage == STAGE), default=None
    )
    before = model.tags.get(PROMOTED_TAG)
    return (int(alias) if alias else None, stage, int(before) if before else None)

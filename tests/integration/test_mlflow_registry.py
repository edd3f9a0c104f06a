"""Our registry adapter against a real MLflow server."""

from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from terna.contracts.version import Version
from terna.errors import FilesRefused, TrackingRefused, TrackingUnreachable
from terna.registry.client import connect, promoting
from terna.registry.registry import SERVING, STATUS_TAG, MLflowRegistry
from terna.registry.runs import MLflowRuns
from terna.settings import Settings


@pytest.fixture
def registry(tracked: Settings) -> MLflowRegistry:
    return MLflowRegistry(connect(tracked.tracking), tracked.tracking)


def register(settings: Settings, name: str, folder: Path) -> Version:
    """Any file in a folder, as a version."""
    folder.mkdir(exist_ok=True)
    Path(folder, "MLmodel").write_text("flavors: {}\n")
    Path(folder, "nested").mkdir(exist_ok=True)
    Path(folder, "nested", "weights").write_bytes(bytes(range(256)))
    client = connect(settings.tracking)
    runs = MLflowRuns(client, "integration")
    run_id = runs.start(name)
    return MLflowRegistry(client).register(name, folder, runs.start_model(run_id, name), run_id)


def test_unregistered_name_has_nothing_in_production(
    registry: MLflowRegistry,
) -> None:
    registry.check()
    assert registry.production("nobody") is None


def test_registered_version_is_not_in_production_before_promotion(
    tracked: Settings, registry: MLflowRegistry, tmp_path: Path
) -> None:
    version = register(tracked, "waiting", tmp_path / "model")
    assert version.number == 1
    assert registry.production("waiting") is None
    registry.promote(version)
    assert registry.production("waiting") == version


def test_download_equals_the_upload_byte_for_byte(
    tracked: Settings, registry: MLflowRegistry, tmp_path: Path
) -> None:
    version = register(tracked, "copied", tmp_path / "model")
    copy = tmp_path / "copy"
    copy.mkdir()
    registry.download(version, copy)
    assert {p.relative_to(copy): p.read_bytes() for p in copy.rglob("*") if p.is_file()} == {
        p.relative_to(tmp_path / "model"): p.read_bytes()
        for p in (tmp_path / "model").rglob("*")
        if p.is_file()
    }


def test_files_are_listed_with_their_sizes_and_downloaded_one_by_one(
    tracked: Settings, registry: MLflowRegistry, tmp_path: Path
) -> None:
    version = register(tracked, "listed", tmp_path / "model")
    (tmp_path / "copy").mkdir()

    assert registry.list_files(version, 3) == {"MLmodel": 12, "nested/weights": 256}
    with pytest.raises(FilesRefused, match="has more than 2 files"):
        registry.list_files(version, 2)  # the folder counts, too

    registry.download(version, tmp_path / "copy", "nested/weights")
    assert [p.name for p in (tmp_path / "copy").rglob("*")] == ["nested", "weights"]


@pytest.mark.filterwarnings("ignore:.*transition_model_version_stage:FutureWarning")
@pytest.mark.parametrize("by", ["alias", "stage"])
def test_promotion_by_mlflows_own_client_moves_alias_stage_and_tag(
    tracked: Settings, registry: MLflowRegistry, tmp_path: Path, by: str
) -> None:
    first, second = (register(tracked, f"halves-{by}", tmp_path / "model") for _ in range(2))
    registry.promote(first)
    client, name = MlflowClient(tracked.tracking.uri, tracked.tracking.uri), first.name

    with promoting(tracked.tracking):
        if by == "alias":
            client.set_registered_model_alias(name, "production", "2")
        else:
            client.transition_model_version_stage(name, "2", "production")

    assert registry.production(name) == second
    assert client.get_model_version_by_alias(name, "production").version == "2"
    assert client.get_model_version(name, "2").current_stage == "Production"
    assert client.get_model_version(name, "1").current_stage == "Archived"
    assert client.get_registered_model(name).tags["terna.production"] == "2"


@pytest.mark.filterwarnings("ignore:.*transition_model_version_stage:FutureWarning")
def test_alias_that_is_taken_away_promotes_nothing(
    tracked: Settings, registry: MLflowRegistry, tmp_path: Path
) -> None:
    version = register(tracked, "demoted", tmp_path / "model")
    registry.promote(version)
    client = connect(tracked.tracking)
    with promoting(tracked.tracking):
        client.delete_registered_model_alias("demoted", "production")
        client.transition_model_version_stage("demoted", "1", "None")
    assert registry.production("demoted") is None


def test_rejected_version_does_not_count_as_the_one_that_serves(
    tracked: Settings, registry: MLflowRegistry, tmp_path: Path
) -> None:
    first, second, third = (register(tracked, "rejected", tmp_path / "model") for _ in range(3))
    registry.promote(third)
    assert registry.serving_version("rejected") == third
    registry.tag(third, STATUS_TAG, "rejected: it is slow")
    assert registry.serving_version("rejected") is None
    for version in (first, second):
        registry.tag(version, STATUS_TAG, SERVING)
    assert registry.serving_version("rejected") == second
    assert registry.serving_version("nobody") is None


def test_models_of_runs_and_of_the_registry_are_fetched(
    tracked: Settings, registry: MLflowRegistry, tmp_path: Path
) -> None:
    version = register(tracked, "fetched", tmp_path / "model")
    registry.set_alias(version, "candidate")
    before = mlflow.get_tracking_uri()
    sources = {
        "number": "models:/fetched/1",
        "alias": "models:/fetched@candidate",
        "id": version.source if version.source.startswith("models:/m-") else "models:/fetched/1",
        "run": f"runs:/{version.run_id}/fetched",
    }
    for name, source in sources.items():
        folder = tmp_path / name
        folder.mkdir()
        registry.fetch(source, folder)
        assert (folder / "nested/weights").read_bytes() == bytes(range(256)), source
    assert mlflow.get_tracking_uri() == before


@pytest.mark.parametrize("source", ["runs:/nope/model", "models:/nobody/1", "models:/nobody@no"])
def test_source_that_is_not_there_is_refused_in_one_line(
    registry: MLflowRegistry, tmp_path: Path, source: str
) -> None:
    with pytest.raises(TrackingRefused) as refused:
        registry.fetch(source, tmp_path)
    assert len(str(refused.value).splitlines()) == 1


def test_missing_version_is_refused_in_one_line(registry: MLflowRegistry) -> None:
    with pytest.raises(TrackingRefused, match="has no such thing") as refused:
        registry.version("nobody", 7)
    assert len(str(refused.value).splitlines()) == 1


def test_unreachable_tracking_server_is_named(tracked: Settings) -> None:
    away = tracked.tracking.model_copy(update={"uri": "https://localhost:1"})
    with pytest.raises(TrackingUnreachable, match="https://localhost:1 does not answer"):
        MLflowRegistry(connect(away)).check()


def test_certificate_of_another_ca_is_not_trusted(tracked: Settings, tmp_path: Path) -> None:
    from terna.security.ca import ensure_certificates

    ensure_certificates(tmp_path / "certs", tmp_path / "secrets", ())
    other = tracked.tracking.model_copy(update={"ca": tmp_path / "certs/ca.crt"})
    try:
        with pytest.raises(TrackingUnreachable):
            MLflowRegistry(connect(other)).check()
    finally:
        connect(tracked.tracking)  # the CA is a setting of the whole process


def test_failed_upload_leaves_no_version(tracked: Settings, tmp_path: Path) -> None:
    client = connect(tracked.tracking)
    runs = MLflowRuns(client, "integration")
    run_id = runs.start("broken")
    with pytest.raises(TrackingRefused):
        MLflowRegistry(client).register("broken", tmp_path, "m-unknown", run_id)
    assert not client.search_registered_models("name = 'broken'")

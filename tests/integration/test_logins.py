"""Logins of the tracking server: each caller may do what its work needs, and nothing else."""

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mlflow.pyfunc
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from terna.contracts.version import Version
from terna.errors import TrackingRefused
from terna.local.servers import LocalServers, ensure_local_secrets, local_settings
from terna.progress import Silent
from terna.registry.client import connect
from terna.registry.registry import ALIAS, MLflowRegistry
from terna.registry.runs import MLflowRuns
from terna.security import signing
from terna.security.secrets import LOGINS
from terna.settings import Settings, Tracking, Training
from terna.training import importing
from terna.training.session import Session
from tests.ports import settings_on_free_ports


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracking]:
    """A tracking server with logins, asked by nobody yet."""
    root = tmp_path_factory.mktemp("terna")
    settings = _with_logins(root, local_settings(root, settings_on_free_ports()))
    ensure_local_secrets(settings, root)
    _make_stores(settings)
    replica = LocalServers(
        root, replace(settings, tracking=user(settings.tracking, "health")), Silent()
    )
    try:
        replica.start("tracking")
        replica.wait("tracking")
        yield settings.tracking
    finally:
        replica.close()
        connect(local_settings(root, settings).tracking)  # nobody is logged in any more


def user(tracking: Tracking, name: str) -> Tracking:
    """The settings of a client that logs in as this user."""
    password = (tracking.logins_dir / name).read_text()
    return tracking.model_copy(update={"user": name, "password": password})


def _with_logins(root: Path, settings: Settings) -> Settings:
    (root / "logins").mkdir()
    for name in LOGINS:
        (root / "logins" / name).write_text(f"the password of {name}")
    changes = {"auth_database_uri": f"sqlite:///{root}/logins.db", "logins_dir": root / "logins"}
    (root / ".terna/tracking").mkdir(parents=True)
    return replace(settings, tracking=settings.tracking.model_copy(update=changes))


def _make_stores(settings: Settings) -> None:
    subprocess.run(
        [sys.executable, "-m", "terna", "init-stores"],
        env=os.environ | settings.environment(),
        check=True,
        timeout=120,
    )


CODE = """
import mlflow
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [1] * len(model_input)
mlflow.models.set_model(Model())
"""


@pytest.fixture
def keys(tmp_path: Path) -> Training:
    """Training's settings, with the signing and the release key."""
    pairs = {
        "signing_key": tmp_path / "signing.key",
        "signing_public_key": tmp_path / "signing.pub",
        "release_key": tmp_path / "release.key",
        "release_public_key": tmp_path / "release.pub",
    }
    private_signing, public_signing, private_release, public_release = pairs.values()
    signing.ensure_signing_keys(private_signing, public_signing)
    signing.ensure_signing_keys(private_release, public_release)
    return Settings.load().training.model_copy(update=pairs)


def session(tracking: Tracking, keys: Training) -> Session:
    """A session of this login."""
    settings = replace(Settings.load(), tracking=tracking, training=keys)
    return Session.open("price", settings, Silent())


@pytest.fixture(scope="module")
def version(tracking: Tracking, tmp_path_factory: pytest.TempPathFactory) -> Version:
    """What the training server registered and promoted."""
    model = tmp_path_factory.mktemp("model")
    (model / "MLmodel").write_text("flavors: {}\n")
    client = connect(user(tracking, "training"))
    runs, registry = MLflowRuns(client, "terna"), MLflowRegistry(client)
    assert registry.production("churn") is None
    run_id = runs.start("train")
    registered = registry.register("churn", model, runs.start_model(run_id, "churn"), run_id)
    registry.promote(registered)
    return registered


def test_serving_downloads_tags_and_completes_a_promotion(
    tracking: Tracking, version: Version, tmp_path: Path
) -> None:
    connect(user(tracking, "training")).delete_registered_model_alias("churn", ALIAS)
    registry = MLflowRegistry(connect(user(tracking, "serving")))
    assert registry.production("churn") == version
    registry.download(version, tmp_path)
    assert (tmp_path / "MLmodel").read_text() == "flavors: {}\n"
    registry.tag(version, "terna.serving", "serving")
    assert registry.complete_promotion(version)


def test_serving_changes_no_run_and_deletes_no_model(tracking: Tracking, version: Version) -> None:
    client = connect(user(tracking, "serving"))
    for forbidden in (
        lambda: client.log_metric(version.run_id, "f1", 1.0),
        lambda: client.log_text(version.run_id, "x", "x.txt"),
        lambda: client.delete_run(version.run_id),
        lambda: client.delete_registered_model("churn"),
        lambda: client.delete_model_version("churn", "1"),
    ):
        with pytest.raises((MlflowException, OSError), match=r"403|ermission"):
            forbidden()


@pytest.mark.usefixtures("version")
def test_health_login_may_ask_and_sees_nothing(tracking: Tracking) -> None:
    client = connect(user(tracking, "health"))
    MLflowRegistry(client).check()
    assert client.search_registered_models() == []
    assert client.search_experiments() == []
    with pytest.raises(MlflowException, match="403"):
        client.create_registered_model("mine")


@pytest.mark.usefixtures("version")
def test_administrator_sees_everything(tracking: Tracking) -> None:
    client = connect(user(tracking, "admin"))
    assert [model.name for model in client.search_registered_models()] == ["churn"]


@pytest.mark.parametrize(
    "login",
    [
        pytest.param({}, id="nobody"),
        pytest.param({"user": "training", "password": "a wrong password"}, id="wrong password"),
    ],
)
def test_request_without_login_is_refused_and_says_what_to_check(
    tracking: Tracking, login: dict[str, str]
) -> None:
    registry = MLflowRegistry(connect(tracking.model_copy(update=login)))
    with pytest.raises(TrackingRefused, match="are TERNA_TRACKING_USER and its password right"):
        registry.check()


def test_training_signs_and_the_administrator_releases(
    tracking: Tracking, keys: Training, tmp_path: Path
) -> None:
    code = tmp_path / "code.py"
    code.write_text(CODE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about type hints
        example = pd.DataFrame({"a": [1.0]})
        mlflow.pyfunc.save_model(
            str(tmp_path / "model"), python_model=str(code), input_example=example
        )

    made = importing.register(session(user(tracking, "training"), keys), str(tmp_path / "model"))
    signed = importing.sign(session(user(tracking, "training"), keys), made.version.number)
    with pytest.raises(TrackingRefused, match="TERNA_TRACKING_USER"):
        importing.sign(session(user(tracking, "serving"), keys), made.version.number)
    released = importing.release(session(user(tracking, "admin"), keys), signed.version.number)

    assert [each.version.number for each in (made, signed, released)] == [1, 2, 3]


def test_password_follows_its_file(tracking: Tracking, version: Version) -> None:
    (tracking.logins_dir / "training").write_text("another password, given later")
    defaults = Settings.load()
    _make_stores(replace(defaults, tracking=tracking))
    registry = MLflowRegistry(connect(user(tracking, "training")))
    assert registry.production("churn") == version


def test_no_password_is_in_a_command_line(tracking: Tracking) -> None:
    commands = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert f"--port {tracking.port}" in commands.stdout
    assert "logins.db" not in commands.stdout

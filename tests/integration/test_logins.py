"""Logins of the tracking server: each caller may do what its work needs, and nothing else."""

import json
import ssl
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import mlflow.pyfunc
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from terna.contracts.version import Version
from terna.errors import TrackingRefused
from terna.progress import Silent
from terna.registry.client import connect
from terna.registry.registry import ALIAS, MLflowRegistry
from terna.registry.runs import MLflowRuns
from terna.security import signing
from terna.settings import Settings, Tracking, Training
from terna.tracking import lockout
from terna.training import importing
from terna.training.session import Session

pytestmark = pytest.mark.filterwarnings("ignore:.*transition_model_version_stage:FutureWarning")

NAME = "logged-in"
PASSWORD, ANOTHER = "a-password-of-marias", "another-password-of-marias"
FORBIDDEN = r"403|PERMISSION_DENIED|ermission denied"


@pytest.fixture(scope="module")
def tracking(tracked: Settings) -> Iterator[Tracking]:
    """How to reach the tracking server, which asks for logins."""
    yield tracked.tracking
    connect(tracked.tracking)  # the login is a setting of the whole process


def user(tracking: Tracking, name: str) -> Tracking:
    """The settings of a client that logs in as this user, who promotes himself."""
    return tracking.model_copy(update={"user": name, "promoting_user": ""})


def client(tracking: Tracking, name: str) -> MlflowClient:
    return connect(user(tracking, name))


def ask(tracking: Tracking, login: tuple[str, str], method: str, path: str, **of: Any) -> int:
    """Return the status of one request, without MLflow's client."""
    verified = ssl.create_default_context(cafile=tracking.ca)
    answer = httpx.request(method, f"{tracking.uri}{path}", auth=login, verify=verified, **of)
    return answer.status_code


def password(tracking: Tracking, name: str) -> str:
    return (tracking.logins_dir / name).read_text().strip()


def events(tracked: Settings, **of: str) -> list[dict[str, str]]:
    """The lines of the audit log with these values."""
    lines = map(json.loads, tracked.audit.log.read_text().splitlines())
    return [line for line in lines if of.items() <= line.items()]


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
    """What the training server registered, and the promoting login promoted."""
    model = tmp_path_factory.mktemp("model")
    (model / "MLmodel").write_text("flavors: {}\n")
    training = client(tracking, "training")
    runs, registry = MLflowRuns(training, "logins"), MLflowRegistry(training, tracking)
    run_id = runs.start("train")
    registered = registry.register(NAME, model, runs.start_model(run_id, NAME), run_id)
    registry.promote(registered)
    return registered


def forbidden() -> pytest.RaisesExc[MlflowException | OSError]:
    return pytest.raises((MlflowException, OSError), match=FORBIDDEN)


Attempt = Callable[[MlflowClient, Version], object]
PROMOTIONS: dict[str, Attempt] = {
    "set alias": lambda c, _: c.set_registered_model_alias(NAME, ALIAS, "1"),
    "set another alias": lambda c, _: c.set_registered_model_alias(NAME, "best", "1"),
    "delete alias": lambda c, _: c.delete_registered_model_alias(NAME, ALIAS),
    "set stage": lambda c, _: c.transition_model_version_stage(NAME, "1", "Archived"),
    "tag model": lambda c, _: c.set_registered_model_tag(NAME, "terna.production", "7"),
}
DELETIONS: dict[str, Attempt] = {
    "rename model": lambda c, _: c.rename_registered_model(NAME, "another"),
    "delete model": lambda c, _: c.delete_registered_model(NAME),
    "delete version": lambda c, _: c.delete_model_version(NAME, "1"),
    "delete run": lambda c, v: c.delete_run(v.run_id),
    "delete logged model": lambda c, v: c.delete_logged_model(v.source.split("/")[-2]),
    "delete experiment": lambda c, v: c.delete_experiment(c.get_run(v.run_id).info.experiment_id),
    "rename experiment": lambda c, v: c.rename_experiment(
        c.get_run(v.run_id).info.experiment_id, "another"
    ),
}
WRITES: dict[str, Attempt] = {
    "log metric": lambda c, v: c.log_metric(v.run_id, "f1", 1.0),
    "log artifact": lambda c, v: c.log_text(v.run_id, "x", "x.txt"),
    "create experiment": lambda c, _: c.create_experiment("of serving's own"),
    "create model": lambda c, _: c.create_registered_model("of serving's own"),
    "create version": lambda c, v: c.create_model_version(NAME, v.source),
}


def attempts(*of: dict[str, Attempt]) -> pytest.MarkDecorator:
    together = {name: attempt for each in of for name, attempt in each.items()}
    return pytest.mark.parametrize("attempt", together.values(), ids=together.keys())


# ---- who may do what --------------------------------------------------------------------------


def test_serving_downloads_and_tags(tracking: Tracking, version: Version, tmp_path: Path) -> None:
    registry = MLflowRegistry(client(tracking, "serving"))
    assert registry.production(NAME) == version
    registry.download(version, tmp_path)
    assert (tmp_path / "MLmodel").read_text() == "flavors: {}\n"
    registry.tag(version, "terna.serving", "serving")


@attempts(PROMOTIONS, DELETIONS, WRITES)
def test_serving_does_nothing_else(tracking: Tracking, version: Version, attempt: Attempt) -> None:
    serving = client(tracking, "serving")
    with forbidden():
        attempt(serving, version)


@attempts(PROMOTIONS, DELETIONS)
def test_training_neither_promotes_nor_deletes_what_it_made(
    tracking: Tracking, version: Version, attempt: Attempt
) -> None:
    training = client(tracking, "training")
    with forbidden():
        attempt(training, version)


def test_training_deletes_no_artifact(tracking: Tracking, version: Version) -> None:
    stored = version.source.removeprefix("mlflow-artifacts:/")
    path = f"/api/2.0/mlflow-artifacts/artifacts/{stored}/MLmodel"
    login = "training", password(tracking, "training")
    assert ask(tracking, login, "GET", path) == HTTPStatus.OK
    assert ask(tracking, login, "DELETE", path) == HTTPStatus.FORBIDDEN


@attempts(DELETIONS, WRITES)
def test_promoting_login_only_promotes(
    tracking: Tracking, version: Version, attempt: Attempt
) -> None:
    promoting = client(tracking, "promoting")
    with forbidden():
        attempt(promoting, version)


@pytest.mark.usefixtures("version")
def test_health_login_may_ask_and_sees_nothing(tracking: Tracking) -> None:
    health = client(tracking, "health")
    MLflowRegistry(health).check()
    assert health.search_registered_models() == []
    for hidden in (health.search_experiments, health.search_model_versions):
        with forbidden():
            hidden()
    with forbidden():
        health.create_registered_model("mine")


@pytest.mark.usefixtures("version")
def test_administrator_sees_everything(tracking: Tracking) -> None:
    assert client(tracking, "admin").get_registered_model(NAME).name == NAME


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

    numbers = [each.version.number for each in (made, signed, released)]
    assert numbers == list(range(numbers[0], numbers[0] + 3))


# ---- logging in -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "login",
    [
        pytest.param({"user": "nobody"}, id="nobody"),
        pytest.param({"user": "training", "password": "a wrong password"}, id="wrong password"),
    ],
)
def test_request_without_login_is_refused_and_says_what_to_check(
    tracking: Tracking, login: dict[str, str]
) -> None:
    registry = MLflowRegistry(connect(tracking.model_copy(update=login)))
    with pytest.raises(TrackingRefused, match="are TERNA_TRACKING_USER and its password right"):
        registry.check()


def test_promotion_by_a_login_without_the_right_names_the_setting(
    tracking: Tracking, version: Version
) -> None:
    settings = tracking.model_copy(update={"promoting_user": "training"})
    with pytest.raises(TrackingRefused, match="are TERNA_TRACKING_PROMOTING_USER and its"):
        MLflowRegistry(connect(settings), settings).promote(version)


def test_fifth_wrong_password_locks_this_login_and_no_other(tracking: Tracking) -> None:
    path = "/api/2.0/mlflow/registered-models/search"
    wrong = [ask(tracking, ("mallory", "guess"), "GET", path) for _ in range(lockout.ATTEMPTS + 1)]
    assert wrong == [HTTPStatus.UNAUTHORIZED] * lockout.ATTEMPTS + [HTTPStatus.TOO_MANY_REQUESTS]
    assert ask(tracking, ("health", password(tracking, "health")), "GET", path) == HTTPStatus.OK
    locked = connect(tracking.model_copy(update={"user": "mallory", "password": "guess"}))
    with pytest.raises(TrackingRefused, match="wait for a minute"):
        MLflowRegistry(locked).check()


def test_person_comes_and_goes_with_the_file_of_the_password(
    tracking: Tracking, version: Version
) -> None:
    people = tracking.logins_dir / "people"
    people.mkdir(exist_ok=True)
    status = f"/api/2.0/mlflow/runs/get?run_id={version.run_id}"

    def wait_for(expected: HTTPStatus, secret: str) -> None:
        deadline = time.monotonic() + 30
        while (found := ask(tracking, ("maria", secret), "GET", status)) != expected:
            assert time.monotonic() < deadline, found
            time.sleep(1)  # the files are looked at every two: fewer than five times in vain

    (people / "maria").write_text(f"{PASSWORD}\n")
    wait_for(HTTPStatus.OK, PASSWORD)
    maria = connect(tracking.model_copy(update={"user": "maria", "password": PASSWORD}))
    maria.log_metric(version.run_id, "f1", 0.5)
    with forbidden():
        maria.set_registered_model_alias(NAME, ALIAS, "1")

    (people / "maria").write_text(f"{ANOTHER} promoting\n")
    wait_for(HTTPStatus.OK, ANOTHER)
    maria = connect(tracking.model_copy(update={"user": "maria", "password": ANOTHER}))
    maria.set_registered_model_alias(NAME, ALIAS, "1")

    (people / "maria").write_text(f"{PASSWORD}\n")
    (people / "bad").write_text("short\n")  # nobody else is kept from coming or going by it
    wait_for(HTTPStatus.OK, PASSWORD)
    maria = connect(tracking.model_copy(update={"user": "maria", "password": PASSWORD}))
    with forbidden():
        maria.set_registered_model_alias(NAME, ALIAS, "1")

    (people / "maria").unlink()
    wait_for(HTTPStatus.UNAUTHORIZED, PASSWORD)
    (people / "bad").unlink()


# ---- the audit log ----------------------------------------------------------------------------


def test_audit_log_says_who_promoted_tagged_and_created_from_where(
    tracked: Settings, version: Version
) -> None:
    registry = MLflowRegistry(client(tracked.tracking, "serving"))
    registry.tag(version, "terna.serving", "a value that nobody needs to know")
    promoted = f"{NAME} {version.number} alias=production"
    (created,) = events(tracked, action="create version", what=f"{NAME} run_id={version.run_id}")
    assert created["who"] == "training"
    assert events(tracked, action="set alias", what=promoted, who="promoting", where="127.0.0.1")
    assert events(
        tracked,
        action="tag version",
        what=f"{NAME} {version.number} key=terna.serving",
        who="serving",
    )
    assert "nobody needs to know" not in tracked.audit.log.read_text()


def test_audit_log_has_a_login_once_and_each_wrong_password(tracked: Settings) -> None:
    path = "/api/2.0/mlflow/registered-models/search"
    right = "admin", password(tracked.tracking, "admin")
    for _ in range(3):
        ask(tracked.tracking, right, "GET", path)
    ask(tracked.tracking, ("eve", "a guess"), "GET", path)
    assert len(events(tracked, action="log in", who="admin")) <= 2  # a minute may have gone by
    assert len(events(tracked, action="log in", who="eve", outcome="failed")) == 1
    log = tracked.audit.log.read_text()
    assert right[1] not in log
    assert "a guess" not in log


def test_audit_log_has_what_was_refused(tracked: Settings, version: Version) -> None:
    with forbidden():
        client(tracked.tracking, "serving").rename_registered_model(version.name, "another")
    assert events(tracked, action="rename model", who="serving", outcome="refused")

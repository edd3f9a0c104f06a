"""MLflow's server serves what Terna uses, and nothing else of the many things that it has."""

import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression

from terna.registry.client import connect
from terna.registry.registry import MLflowRegistry
from terna.registry.runs import MLflowRuns
from terna.settings import Settings
from terna.tracking.routes import ROUTES, find
from tests.browser import browser, is_installed

NOT_SERVED = "ENDPOINT_NOT_FOUND"

ALL_ROUTES = """
import json, sys
from terna.settings import Tracking
from terna.tracking.server import _variables, mlflow_app
import os
tracking = Tracking()
os.environ |= _variables(tracking)
from terna.tracking.logins import MLflowLogins
known = MLflowLogins(tracking.auth_database_uri, tracking.logins_dir)
known.ensure()
app = mlflow_app(tracking)
from mlflow.server import app as flask
found = [(m, rule.rule) for rule in flask.url_map.iter_rules() for m in rule.methods]
for router in app.routes:
    if hasattr(router, "original_router"):
        prefix = router.include_context.prefix
        for route in router.original_router.routes:
            found += [(method, prefix + route.path) for method in route.methods]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def server(tracked: Settings) -> Iterator[httpx.Client]:
    """A client of the tracking server, logged in as the administrator, who may do everything."""
    tracking = tracked.tracking
    login = "admin", (tracking.logins_dir / "admin").read_text()
    verified = ssl.create_default_context(cafile=tracking.ca)
    with httpx.Client(base_url=tracking.uri, auth=login, verify=verified, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def mlflows_routes(
    tracked: Settings, tmp_path_factory: pytest.TempPathFactory
) -> set[tuple[str, str]]:
    """Method and path of every route that MLflow's application has, in Flask and in FastAPI."""
    root = tmp_path_factory.mktemp("routes")
    own = {
        "TERNA_TRACKING_BACKEND_STORE_URI": f"sqlite:///{root}/mlflow.db",
        "TERNA_TRACKING_AUTH_DATABASE_URI": f"sqlite:///{root}/logins.db",
    }
    done = subprocess.run(
        [sys.executable, "-c", ALL_ROUTES],
        env=os.environ | tracked.environment() | own,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {(method, path) for method, path in json.loads(done.stdout.splitlines()[-1])}


def an_example(path: str) -> str:
    """Return a path that a route's pattern matches."""
    return re.sub(r"<[^>]+>|\{[^}]+\}", "x", path)


def test_every_route_of_mlflow_is_in_the_table_or_denied_to_the_administrator(
    server: httpx.Client, mlflows_routes: set[tuple[str, str]]
) -> None:
    denied = {(m, an_example(path)) for m, path in mlflows_routes if not find(m, an_example(path))}
    assert len(denied) > 250
    answers = {}
    for method, path in denied:
        answer = server.request(method, path)
        answers[method, path] = answer.status_code, NOT_SERVED in answer.text or method == "HEAD"
    assert set(answers.values()) == {(HTTPStatus.NOT_FOUND, True)}


def test_every_route_of_the_table_is_one_of_mlflows(mlflows_routes: set[tuple[str, str]]) -> None:
    examples = [(method, an_example(path)) for method, path in mlflows_routes]
    used = {find(method, path) for method, path in examples}
    assert [r.path.pattern for r in ROUTES if r not in used] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/ajax-api/3.0/mlflow/assistant/config"),
        ("GET", "/ajax-api/3.0/mlflow/assistant/config"),
        ("POST", "/ajax-api/3.0/mlflow/assistant/message"),
        ("GET", "/ajax-api/3.0/mlflow/gateway/supported-providers"),
        ("POST", "/gateway/mlflow/v1/chat/completions"),
        ("POST", "/ajax-api/3.0/jobs"),
        ("POST", "/api/3.0/mlflow/scorers/register"),
        ("POST", "/ajax-api/3.0/mlflow/scorer/invoke"),
        ("POST", "/ajax-api/3.0/mlflow/demo/generate"),
        ("POST", "/ajax-api/2.0/mlflow/runs/create-promptlab-run"),
        ("POST", "/api/2.0/mlflow/webhooks"),
        ("POST", "/v1/traces"),
        ("GET", "/api/3.0/mlflow/mcp-servers"),
        ("GET", "/signup"),
    ],
)
def test_part_of_mlflow_that_terna_does_not_use_is_not_served(
    server: httpx.Client, method: str, path: str
) -> None:
    answer = server.request(method, path, json={})
    assert (answer.status_code, answer.json()["error_code"]) == (HTTPStatus.NOT_FOUND, NOT_SERVED)


def test_sixty_requests_for_what_is_not_served_stop_nothing(server: httpx.Client) -> None:
    path = "/ajax-api/3.0/mlflow/gateway/supported-models"
    assert {server.get(path).status_code for _ in range(60)} == {HTTPStatus.NOT_FOUND}
    assert server.get("/api/2.0/mlflow/registered-models/search").is_success


def test_experiment_outside_of_the_store_is_refused_and_makes_no_folder(
    server: httpx.Client, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    for field in ("artifact_location", "artifactLocation"):
        body = {"name": f"outside {field}", field: outside.as_uri()}
        answer = server.post("/api/2.0/mlflow/experiments/create", json=body)
        assert answer.status_code == HTTPStatus.BAD_REQUEST
        assert "artifact_location" in answer.json()["message"]
    assert not outside.exists()


def test_nobody_without_a_login_is_told_anything(tracked: Settings) -> None:
    verified = ssl.create_default_context(cafile=tracked.tracking.ca)
    for path in ("/", "/health", "/version", "/api/3.0/mlflow/server-info", "/static-files/x"):
        answer = httpx.get(f"{tracked.tracking.uri}{path}", verify=verified)
        assert answer.status_code == HTTPStatus.UNAUTHORIZED, path


def test_tls_1_2_is_not_spoken(tracked: Settings) -> None:
    old = ssl.create_default_context(cafile=tracked.tracking.ca)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(httpx.ConnectError):
        httpx.get(tracked.tracking.uri, verify=old)


# ---- all that MLflow's own UI needs -----------------------------------------------------------


@pytest.mark.skipif(not is_installed(), reason="needs Chromium and its driver")
def test_people_see_experiments_runs_artifacts_and_models_in_the_ui(tracked: Settings) -> None:
    tracking = tracked.tracking
    client = connect(tracking)
    runs, registry = MLflowRuns(client, "to look at"), MLflowRegistry(client, tracking)
    run_id = runs.start("a run to look at")
    runs.log(run_id, params={"trees": 3}, metrics={"f1": 0.75})
    runs.log_file(run_id, "notes.txt", b"what was noted")
    with TemporaryDirectory() as folder:
        Path(folder, "MLmodel").write_text("flavors: {}\n")
        model = runs.start_model(run_id, "looked-at")
        registry.promote(registry.register("looked-at", Path(folder), model, run_id))
    experiment = client.get_run(run_id).info.experiment_id
    password = (tracking.logins_dir / "promoting").read_text()

    with browser() as window:
        window.open(f"{tracking.uri.replace('//', f'//promoting:{password}@')}/version")
        for page, words in {
            "experiments": ("to look at", "promoting"),
            f"experiments/{experiment}/runs": ("a run to look at",),
            f"experiments/{experiment}/runs/{run_id}": ("trees", "0.75", "Running"),
            f"experiments/{experiment}/runs/{run_id}/artifacts/notes.txt": ("what was noted",),
            f"experiments/{experiment}/models": ("looked-at", "Ready"),
            "models": ("looked-at", "Version 1"),
            "models/looked-at/versions/1": ("production", "Production", "a run to look at"),
        }.items():
            window.open(f"{tracking.uri}/#/{page}")
            window.wait_for(*words)


# ---- all that MLflow's own client needs -------------------------------------------------------


@pytest.fixture
def client(tracked: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    """MLflow's own client, with its defaults, logged in as training."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(tracked.tracking.uri)
    yield connect(tracked.tracking)
    mlflow.set_tracking_uri(before)


@pytest.mark.filterwarnings("ignore:.*pandas version 4.0:DeprecationWarning")
def test_client_logs_a_run_with_metrics_artifacts_and_a_dataset(client: MlflowClient) -> None:
    mlflow.set_experiment("a client's own")
    table = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    with mlflow.start_run(run_name="everything") as run:
        mlflow.log_params({"trees": 3})
        mlflow.log_metrics({"f1": 0.5}, step=1)
        mlflow.log_metric("f1", 0.75, step=2)
        mlflow.set_tags({"who": "me"})
        mlflow.log_dict({"a": 1}, "folder/a.json")
        mlflow.log_input(from_pandas(table, name="customers"), context="training")
    found = client.get_run(run.info.run_id)
    assert (found.data.params, found.data.metrics) == ({"trees": "3"}, {"f1": 0.75})
    assert [m.value for m in client.get_metric_history(run.info.run_id, "f1")] == [0.5, 0.75]
    assert found.inputs
    assert [each.dataset.name for each in found.inputs.dataset_inputs] == ["customers"]
    assert [f.path for f in client.list_artifacts(run.info.run_id, "folder")] == ["folder/a.json"]
    assert mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/folder/a.json") == {"a": 1}
    experiments = [run.info.experiment_id]
    assert client.search_runs(experiments, "tags.who = 'me'", ViewType.ACTIVE_ONLY)
    assert [e.name for e in client.search_experiments(filter_string="name LIKE 'a client%'")]


@pytest.mark.filterwarnings("ignore")
def test_client_logs_registers_and_loads_a_model(client: MlflowClient) -> None:
    rows = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0]})
    model = LogisticRegression().fit(rows, [0, 0, 1, 1])
    mlflow.set_experiment("a client's own")
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(
            model, name="model", input_example=rows, registered_model_name="of-a-client"
        )
    version = client.get_model_version("of-a-client", "1")
    assert version.run_id == run.info.run_id
    for uri in ("models:/of-a-client/1", f"models:/{logged.model_id}"):
        assert mlflow.pyfunc.load_model(uri).predict(rows).tolist() == [0, 0, 1, 1]
    assert mlflow.search_logged_models([run.info.experiment_id], output_format="list")
    client.set_logged_model_tags(logged.model_id, {"who": "me"})
    assert client.get_logged_model(logged.model_id).tags["who"] == "me"
    assert client.search_model_versions("name = 'of-a-client'")
    assert client.get_latest_versions("of-a-client")


@pytest.mark.usefixtures("client")
def test_client_makes_an_evaluation_dataset() -> None:
    from mlflow.genai import datasets

    experiment = mlflow.set_experiment("a client's own").experiment_id
    made = datasets.create_dataset(name="questions", experiment_id=experiment, tags={"who": "me"})
    made.merge_records([{"inputs": {"question": "x"}, "expectations": {"answer": "y"}}])
    found = datasets.get_dataset(dataset_id=made.dataset_id)
    assert len(found.to_df()) == 1
    assert [each.name for each in datasets.search_datasets(experiment_ids=[experiment])]


def test_client_that_traces_is_told_that_traces_are_off(client: MlflowClient) -> None:
    with pytest.raises(MlflowException, match="not served"):
        client.search_traces(locations=["0"])


def test_administrator_makes_and_removes_a_login(server: httpx.Client) -> None:
    users, guest = "/api/2.0/mlflow/users", "guest"
    made = server.post(f"{users}/create", json={"username": guest, "password": "of a new guest"})
    assert made.is_success
    assert server.get(f"{users}/get", params={"username": guest}).json()["user"]["id"]
    removed = server.request("DELETE", f"{users}/delete", json={"username": guest})
    assert removed.is_success

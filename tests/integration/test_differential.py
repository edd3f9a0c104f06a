"""Terna answers what `mlflow models serve` answers, to the byte, over one corpus of requests."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow.pyfunc
import pytest

from terna.compiler.compile import compile_model
from terna.contracts.version import Version
from terna.predictor.predictor import CompiledModel, Predictor
from terna.predictor.pyfunc_model import PyfuncModel
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http.app import App
from terna.serving.http.mlflow_routes import Handlers
from terna.settings import Serving
from tests.integration.differential import models
from tests.integration.differential.corpus import CSV, JSON, PARQUET, Case, corpus
from tests.integration.differential.servers import MLflowServer, Said, serving
from tests.rsgi import Answered, AppClient
from tests.unit.workshop import NoLoader

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's and pandas', as in both servers

CASES = corpus()
VOCABULARY = {"columns", "data", "index", "dataframe_split", "dataframe_records", "inputs"}
VOCABULARY |= {
    "instances",
    "params",
    "model",
    "rows",
    "with",
    "None",
    "text",
    "true",
    "application/json",
}


@dataclass
class Pair:
    """One model behind both servers."""

    mlflow: MLflowServer
    terna: AppClient

    def ask(
        self, method: str, path: str, content_type: str | None, body: bytes
    ) -> tuple[Said, Said]:
        headers = {} if content_type is None else {"content-type": content_type}
        ours = self.terna.ask(method, path, body, headers)
        return self.mlflow.ask(method, path, content_type, body), _said(ours)


def _said(answer: Answered) -> Said:
    headers = answer.headers
    return Said(answer.status, headers["content-type"], answer.body, headers.get("allow"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return models.save(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def pairs(folders: dict[str, Path]) -> Iterator[dict[str, Pair]]:
    with serving(folders) as servers:
        clients = {name: _client(name, folder) for name, folder in folders.items()}
        yield {name: Pair(servers[name], clients[name]) for name in folders}


@pytest.fixture(scope="module")
def compiled(folders: dict[str, Path]) -> AppClient:
    model = mlflow.pyfunc.load_model(str(folders["churn"]))
    return _client("churn", folders["churn"], compile_model(model))


def _client(name: str, folder: Path, program: CompiledModel | None = None) -> AppClient:
    slot = ActiveModel()
    original = PyfuncModel(mlflow.pyfunc.load_model(str(folder)))
    slot.swap(Predictor(Version(name, 1, "", ""), lambda: original, program))
    return AppClient(App(Handlers(slot, Serving(threads=1)), NoLoader(), max_body=10_000_000))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_same_answer(pairs: dict[str, Pair], case: Case) -> None:
    theirs, ours = pairs[case.model].ask("POST", "/invocations", case.content_type, case.body)

    _check_discretion(case, ours)
    if case.differs:
        assert ours.status == case.differs.status
        assert _essence(ours) != _essence(theirs), f"not different any more: {case.differs.why}"
    else:
        assert _essence(ours) == _essence(theirs)


@pytest.mark.parametrize("case", [case for case in CASES if case.model == "churn"], ids=str)
def test_the_same_answer_with_a_compiled_model(
    pairs: dict[str, Pair], compiled: AppClient, case: Case
) -> None:
    headers = {} if case.content_type is None else {"content-type": case.content_type}

    by_pyfunc, by_program = (
        _said(client.ask("POST", "/invocations", case.body, headers))
        for client in (pairs["churn"].terna, compiled)
    )

    assert by_program == by_pyfunc


def _essence(said: Said) -> tuple[int, str, object]:
    """All that must agree: of a refusal the status and the error code, but not the words."""
    if said.status == 200:
        return said.status, said.content_type, said.body
    if said.content_type == "application/json":
        return said.status, said.content_type, json.loads(said.body)["error_code"]
    return said.status, said.content_type, None


def _check_discretion(case: Case, ours: Said) -> None:
    """A refusal is one line, without anything that the client sent, schema dump or traceback."""
    if ours.status == 200:
        return
    told = ours.body.decode()
    if ours.content_type == JSON:
        document = json.loads(ours.body)
        assert set(document) == {"error_code", "message"}
        told = document["message"]
    assert told
    assert len(told.splitlines()) == 1
    assert len(told) < 200
    assert "Traceback" not in told
    known = VOCABULARY | set(_names(case.model)) | {CSV, JSON, PARQUET}
    sent = set(re.findall(rb"[^\s\"',:;\[\]{}]{4,}", case.body))
    assert not {v for v in (s.decode(errors="ignore") for s in sent) if v in told} - known


def _names(model: str) -> list[str]:
    return {
        "churn": ["minutes", "plan", "calls"],
        "price": ["area", "rooms"],
        "outputs": ["number", "when", "whole", "truth", "times", "share", "names"],
        "tensors": ["points", "weight"],
    }.get(model, [])


@pytest.mark.parametrize("path", ["/ping", "/health", "/version"])
def test_the_same_routes(pairs: dict[str, Pair], path: str) -> None:
    theirs, ours = pairs["churn"].ask("GET", path, None, b"")

    assert ours == theirs


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/invocations"),
        ("PUT", "/invocations"),
        ("DELETE", "/invocations"),
        ("OPTIONS", "/invocations"),
        ("POST", "/ping"),
        ("HEAD", "/ping"),
        ("POST", "/version"),
        ("GET", "/"),
        ("POST", "/invocation"),
        ("GET", "/metrics/nothing"),
    ],
)
def test_the_same_status_of_a_wrong_route(pairs: dict[str, Pair], method: str, path: str) -> None:
    theirs, ours = pairs["churn"].ask(method, path, None, b"")

    assert (ours.status, ours.allow) == (theirs.status, theirs.allow)


def test_the_corpus_names_each_case_once() -> None:
    names = [str(case) for case in CASES]
    assert len(set(names)) == len(names)

"""Terna responds as `mlflow models serve` does, to the byte, over one corpus of requests."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow.pyfunc
import pytest

from terna.compiler.compile import compile_model
from terna.contracts.version import Version
from terna.predictor.compiled_predictor import CompiledModel
from terna.predictor.predictor import Predictor
from terna.predictor.pyfunc_model import PyfuncModel
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http.app import App
from terna.settings import Serving
from tests.integration.differential import models
from tests.integration.differential.corpus import CSV, JSON, PARQUET, Case, corpus
from tests.integration.differential.servers import MLflowServer, Response, serving
from tests.rsgi import Answered, AppClient
from tests.unit.workshop import NoLoader, deployed

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
    ) -> tuple[Response, Response]:
        headers = {} if content_type is None else {"content-type": content_type}
        ours = self.terna.ask(method, path, body, headers)
        return self.mlflow.ask(method, path, content_type, body), _response_of(ours)


def _response_of(answer: Answered) -> Response:
    headers = answer.headers
    return Response(answer.status, headers["content-type"], answer.body, headers.get("allow"))


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


def _client(name: str, folder: Path, compiled: CompiledModel | None = None) -> AppClient:
    active = ActiveModel()
    pyfunc = PyfuncModel(mlflow.pyfunc.load_model(str(folder)))
    predictor = Predictor(Version(name, 1, "", ""), lambda: pyfunc, compiled)
    active.swap(deployed(predictor, compiled))
    return AppClient(App(active, Serving(threads=1), NoLoader()))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_response_equals_mlflows(pairs: dict[str, Pair], case: Case) -> None:
    theirs, ours = pairs[case.model].ask("POST", "/invocations", case.content_type, case.body)

    _check_error_message(case, ours)
    if case.differs:
        assert ours.status == case.differs.status
        assert _compared(ours) != _compared(theirs), f"not different any more: {case.differs.why}"
    else:
        assert _compared(ours) == _compared(theirs)


@pytest.mark.parametrize("case", [case for case in CASES if case.model == "churn"], ids=str)
def test_response_of_the_compiled_model_equals_pyfuncs(
    pairs: dict[str, Pair], compiled: AppClient, case: Case
) -> None:
    headers = {} if case.content_type is None else {"content-type": case.content_type}

    by_pyfunc, by_compiled = (
        _response_of(client.ask("POST", "/invocations", case.body, headers))
        for client in (pairs["churn"].terna, compiled)
    )

    assert by_compiled == by_pyfunc


def _compared(response: Response) -> tuple[int, str, object]:
    """Return all that must agree: of an error the status and the code, but not the message."""
    if response.status == 200:
        return response.status, response.content_type, response.body
    if response.content_type == "application/json":
        return response.status, response.content_type, json.loads(response.body)["error_code"]
    return response.status, response.content_type, None


def _check_error_message(case: Case, ours: Response) -> None:
    """Fail unless an error is one line, without sent values, schema dump or traceback."""
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
def test_response_of_a_get_route_equals_mlflows(pairs: dict[str, Pair], path: str) -> None:
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
def test_status_of_a_wrong_route_equals_mlflows(
    pairs: dict[str, Pair], method: str, path: str
) -> None:
    theirs, ours = pairs["churn"].ask(method, path, None, b"")

    assert (ours.status, ours.allow) == (theirs.status, theirs.allow)


def test_corpus_names_each_case_once() -> None:
    names = [str(case) for case in CASES]
    assert len(set(names)) == len(names)

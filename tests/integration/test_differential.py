"""Terna responds as `mlflow models serve` does, to the byte, over one corpus of requests."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pytest
from mlflow.pyfunc import load_model

from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.verification.verification import compile_verified
from terna.contracts.version import Version
from terna.errors import NotCompilable
from terna.predictor.mlflow_private import enter_serving_environment
from terna.predictor.predictor import Predictor
from terna.predictor.pyfunc_model import PyfuncModel
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http.app import App
from terna.settings import Serving
from tests.integration.differential import models
from tests.integration.differential.corpus import corpus
from tests.integration.differential.corpus.case import CSV, JSON, PARQUET, Case
from tests.integration.differential.models import MODELS
from tests.integration.differential.models.tables import cells
from tests.integration.differential.servers import MLflowModel, Response, serving
from tests.rsgi import AppClient, callers
from tests.unit.workshop import NoLoader, deployed

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's and pandas', as in both servers

CASES = corpus()
COMPILED = {name for name, model in MODELS.items() if model.compiled}
ALONE = ("churn", "outputs", "tensors", "hinted")
"""Models with a process of their own, `mlflow models serve`; and with all others in another one."""

VOCABULARY = {"columns", "data", "index", "dataframe_split", "dataframe_records", "inputs"}
VOCABULARY |= {"instances", "params", "model", "rows", "with", "None", "text", "true"}
VOCABULARY |= {CSV, JSON, PARQUET}


@dataclass
class Servers:
    """Every model behind MLflow's scoring server and behind Terna's app."""

    alone: Mapping[str, MLflowModel]
    together: Mapping[str, MLflowModel]
    models: Mapping[str, PyfuncModel]
    pyfunc: Mapping[str, AppClient]
    compiled: Mapping[str, AppClient]

    def mlflow(self, model: str) -> MLflowModel:
        return self.alone.get(model) or self.together[model]

    def names(self, model: str) -> set[str]:
        """Return the columns and parameters that a model's schema names."""
        metadata = self.models[model].metadata
        params = metadata.get_params_schema()
        schema = metadata.get_input_schema()
        columns = schema.input_names() if schema and schema.has_input_names() else []
        return {*columns, *(spec.name for spec in (params.params if params else ()))}

    def ask(
        self, model: str, method: str, path: str, content_type: str | None, body: bytes
    ) -> tuple[Response, Response]:
        """Return MLflow's and Terna's response."""
        theirs = self.mlflow(model).ask(method, path, content_type, body)
        return theirs, _ask(self.pyfunc[model], method, path, content_type, body)


def _ask(
    client: AppClient, method: str, path: str, content_type: str | None, body: bytes
) -> Response:
    headers = {} if content_type is None else {"content-type": content_type}
    answer = client.ask(method, path, body, headers)
    content_type, allow = answer.headers["content-type"], answer.headers.get("allow")
    return Response(answer.status, content_type, answer.body, allow)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    enter_serving_environment()
    folders = models.save(tmp_path_factory.mktemp("models"))
    with serving({name: folders[name] for name in ALONE}, folders) as (alone, together):
        loaded = {name: PyfuncModel(load_model(str(path))) for name, path in folders.items()}
        pyfunc = {name: _client(name, model) for name, model in loaded.items()}
        compiled = {
            name: _client(name, model, _compiled(name, model))
            for name, model in loaded.items()
            if name in COMPILED
        }
        yield Servers(alone, together, loaded, pyfunc, compiled)


def _compiled(name: str, pyfunc: PyfuncModel) -> CompiledModel:
    """Compile a model as serving does: its table's rows are the reference rows."""
    rows = MODELS[name].rows
    reference = [] if rows is None else cells(rows)
    return compile_verified(pyfunc.model, pyfunc, reference)[0]


def _client(name: str, pyfunc: PyfuncModel, compiled: CompiledModel | None = None) -> AppClient:
    active = ActiveModel()
    predictor = Predictor(Version(name, 1, "", ""), lambda: pyfunc, compiled)
    active.swap(deployed(predictor, compiled))
    return AppClient(App(active, Serving(threads=1), NoLoader(), callers()))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_response_equals_mlflows(servers: Servers, case: Case) -> None:
    theirs, ours = servers.ask(case.model, "POST", "/invocations", case.content_type, case.body)

    _check_error_message(case, ours, servers)
    if case.differs:
        assert ours.status == case.differs.status
        assert _compared(ours) != _compared(theirs), f"not different any more: {case.differs.why}"
    else:
        assert _compared(ours) == _compared(theirs)


@pytest.mark.parametrize("case", [case for case in CASES if case.model in COMPILED], ids=str)
def test_response_of_the_compiled_model_equals_pyfuncs(servers: Servers, case: Case) -> None:
    by_pyfunc, by_compiled = (
        _ask(clients[case.model], "POST", "/invocations", case.content_type, case.body)
        for clients in (servers.pyfunc, servers.compiled)
    )

    assert by_compiled == by_pyfunc


@pytest.mark.parametrize("case", [case for case in CASES if case.model in ALONE], ids=str)
def test_process_of_many_models_responds_as_mlflow_models_serve(
    servers: Servers, case: Case
) -> None:
    alone, together = (
        served[case.model].ask("POST", "/invocations", case.content_type, case.body)
        for served in (servers.alone, servers.together)
    )

    assert together == alone


@pytest.mark.parametrize("name", sorted(set(MODELS) - COMPILED))
def test_model_that_is_not_compared_compiled_cannot_be_compiled(
    servers: Servers, name: str
) -> None:
    with pytest.raises(NotCompilable):
        _compiled(name, servers.models[name])


def _compared(response: Response) -> tuple[int, str, object]:
    """Return all that must agree: of an error the status and the code, but not the message."""
    if response.status == 200:
        return response.status, response.content_type, response.body
    if response.content_type == "application/json":
        return response.status, response.content_type, json.loads(response.body)["error_code"]
    return response.status, response.content_type, None


def _check_error_message(case: Case, ours: Response, servers: Servers) -> None:
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
    sent = set(re.findall(rb"[^\s\"',:;\[\]{}]{4,}", case.body))
    known = VOCABULARY | servers.names(case.model)
    assert not {v for v in (s.decode(errors="ignore") for s in sent) if v in told} - known


def test_version_is_the_major_one_of_mlflows(servers: Servers) -> None:
    theirs, ours = servers.ask("churn", "GET", "/version", None, b"")

    assert ours == replace(theirs, body=theirs.body.partition(b".")[0])


@pytest.mark.parametrize("path", ["/ping", "/health"])
def test_response_of_a_get_route_equals_mlflows(servers: Servers, path: str) -> None:
    theirs, ours = servers.ask("churn", "GET", path, None, b"")

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
def test_status_of_a_wrong_route_equals_mlflows(servers: Servers, method: str, path: str) -> None:
    theirs, ours = servers.ask("churn", method, path, None, b"")

    assert (ours.status, ours.allow) == (theirs.status, theirs.allow)


def test_corpus_names_each_case_once() -> None:
    names = [str(case) for case in CASES]
    assert len(set(names)) == len(names)

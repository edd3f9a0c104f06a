"""The Open Inference Protocol's routes, called through RSGI."""

import gzip
import json
import os
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

import terna
from terna.serving.agent.heartbeat import Heartbeat
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http.app import App
from terna.serving.http.mlflow_routes import MAX_INLINE_ROWS
from terna.settings import Serving
from tests.rsgi import Answered, AppClient, callers
from tests.unit.workshop import COLUMNS, NAME, Direct, NoLoader, Workshop

CUSTOMER = "Ada-Lovelace-0815"
INFER = f"/v2/models/{NAME}/infer"
DATATYPES = dict(zip(COLUMNS, ("FP64", "BYTES", "INT64", "BOOL"), strict=True))


@pytest.fixture
def active() -> ActiveModel:
    return ActiveModel()


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    return Serving(threads=2, max_body_bytes=1_000_000, cache_dir=tmp_path / "cache")


@pytest.fixture
def client(active: ActiveModel, serving: Serving) -> Iterator[AppClient]:
    app = App(active, serving, NoLoader(), callers())
    yield AppClient(app)
    app.close()


@pytest.fixture(params=["pyfunc", "compiled"])
def compiled(
    request: pytest.FixtureRequest, active: ActiveModel, workshop: Workshop, tmp_path: Path
) -> Direct | None:
    """An active model, with and without a compiled one."""
    compiled = workshop.compiled() if request.param == "compiled" else None
    active.swap(workshop.deploy(tmp_path / "model", compiled=compiled))
    return compiled


def inputs(rows: list[list[Any]], **datatypes: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "datatype": (DATATYPES | datatypes)[name],
            "shape": [len(rows), 1],
            "data": [row[i] for row in rows],
        }
        for i, name in enumerate(COLUMNS)
    ]


def document(answer: Answered) -> Any:
    return json.loads(answer.body)


def labels(client: AppClient, rows: list[list[Any]]) -> list[str]:
    """What the scoring protocol answers."""
    predictions: list[str] = document(client.post("/invocations", {"inputs": rows}))["predictions"]
    return predictions


@pytest.mark.parametrize("count", [1, MAX_INLINE_ROWS, MAX_INLINE_ROWS + 1, 160])
def test_labels_equal_those_of_the_scoring_protocol(
    client: AppClient, compiled: Direct | None, workshop: Workshop, count: int
) -> None:
    rows = workshop.rows()[:count]

    answer = client.post(INFER, {"inputs": inputs(rows), "id": "42"})

    backend = "compiled" if compiled else "pyfunc"
    assert document(answer) == {
        "model_name": NAME,
        "model_version": "1",
        "id": "42",
        "outputs": [
            {
                "name": "output-0",
                "datatype": "BYTES",
                "shape": [count],
                "data": labels(client, rows),
            }
        ],
    }
    assert (answer.status, answer.headers["x-model-backend"]) == (200, backend)


@pytest.mark.usefixtures("compiled")
def test_numbers_of_another_width_are_accepted(client: AppClient, workshop: Workshop) -> None:
    rows = [row for row in workshop.rows() if row[0] is not None][:40]
    halves = [[float(round(row[0])), *row[1:]] for row in rows]

    answer = client.post(INFER, {"inputs": inputs(halves, minutes="FP32", calls="INT8")})

    assert document(answer)["outputs"][0]["data"] == labels(client, halves)


def test_active_model_is_ready_and_described_by_name_and_version(
    client: AppClient, compiled: Direct | None
) -> None:
    for path in (f"/v2/models/{NAME}", f"/v2/models/{NAME}/versions/1"):
        answer = client.get(path)
        assert document(client.get(f"{path}/ready")) == {"name": NAME, "ready": True}
        assert {t["name"]: t["datatype"] for t in document(answer)["inputs"]} == DATATYPES
        assert document(answer)["parameters"]["backend"] == answer.headers["x-model-backend"]
        assert document(answer)["parameters"]["backend"] == ("compiled" if compiled else "pyfunc")
    listed = client.get("/v2/models")
    assert document(listed) == {"models": [NAME]}
    assert listed.headers["x-model-version"] == "1"  # which the ERP's client asks for


@pytest.mark.parametrize(
    "path",
    [
        f"/v2/models/{CUSTOMER}",
        f"/v2/models/{CUSTOMER}/ready",
        f"/v2/models/{NAME}/versions/{CUSTOMER}",
        f"/v2/models/{NAME}/versions/2/ready",
    ],
)
@pytest.mark.usefixtures("compiled")
def test_other_model_or_version_is_answered_404(client: AppClient, path: str) -> None:
    answer = client.get(path)

    assert (answer.status, set(document(answer))) == (404, {"error"})
    assert CUSTOMER not in answer.body.decode()


def test_server_is_described_where_the_package_is_not_installed(
    client: AppClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_installed(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.distribution", not_installed)

    assert document(client.get("/v2"))["version"] == terna.__version__.partition(".")[0]


def test_server_without_a_model_is_live_but_not_ready(client: AppClient) -> None:
    assert document(client.get("/v2/health/live")) == {"live": True}
    assert document(client.get("/v2"))["extensions"] == ["binary_tensor_data"]
    assert document(client.get("/v2/models")) == {"models": []}
    for answer in (
        client.get("/v2/health/ready"),
        client.get(f"/v2/models/{NAME}"),
        client.get(f"/v2/models/{NAME}/ready"),
        client.post(INFER, {"inputs": []}),
    ):
        assert (answer.status, set(document(answer))) == (503, {"error"})


GOOD = [[120.5, "basic", 3, True]]


@pytest.mark.usefixtures("compiled")
def test_server_whose_agent_hangs_is_alive_but_not_ready(
    client: AppClient, serving: Serving
) -> None:
    Heartbeat(serving).beat()
    assert client.get("/v2/health/ready").status == 200

    (file,) = serving.cache_dir.iterdir()
    os.utime(file, (1, 1))

    answer = client.get("/v2/health/ready")
    assert (answer.status, list(document(answer))) == (503, ["error"])
    assert "until it is restarted" in document(answer)["error"]
    assert [client.get(path).status for path in ("/v2/health/live", "/ping")] == [200, 200]


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (inputs(GOOD)[:2], "Missing columns: calls, vip."),
        ([*inputs(GOOD)[:3], inputs(GOOD * 2)[3]], "The columns must be tensors of one length."),
        (
            [
                {"name": "minutes", "datatype": "FP64", "shape": [1, 2], "data": [1, 2]},
                *inputs(GOOD)[1:],
            ],
            "The column 'minutes' must be a tensor of shape [n] or [n, 1].",
        ),
        (
            inputs([[CUSTOMER, *GOOD[0][1:]]], minutes="BYTES"),
            "Row 0: 'minutes' must be a number or null.",
        ),
        (inputs([[1.5, "basic", CUSTOMER, True]]), "Input 2 holds a value that is not"),
        ({CUSTOMER: 1}, "The body must be an object with 'inputs'"),
    ],
)
@pytest.mark.usefixtures("compiled")
def test_tensors_that_do_not_fit_are_answered_400_without_values(
    client: AppClient, caplog: pytest.LogCaptureFixture, sent: Any, says: str
) -> None:
    answer = client.post(INFER, {"inputs": sent})

    assert answer.status == 400
    assert says in document(answer)["error"]
    assert CUSTOMER not in answer.body.decode() + caplog.text


@pytest.mark.usefixtures("compiled")
def test_compressed_tensors_are_answered_like_others(client: AppClient) -> None:
    sent = gzip.compress(json.dumps({"inputs": inputs(GOOD)}).encode())

    answer = client.ask("POST", INFER, sent, {"content-encoding": "gzip"})

    assert document(answer)["outputs"][0]["data"] == labels(client, GOOD)


@pytest.mark.usefixtures("compiled")
def test_tensors_of_unknown_encoding_are_answered_415(client: AppClient) -> None:
    answer = client.ask("POST", INFER, b"", {"content-encoding": "br"})

    assert (answer.status, set(document(answer))) == (415, {"error"})
    assert answer.headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.usefixtures("compiled")
def test_extra_column_is_ignored(client: AppClient) -> None:
    more = {"name": CUSTOMER, "datatype": "BYTES", "shape": [1], "data": [CUSTOMER]}

    answer = client.post(INFER, {"inputs": [*inputs(GOOD), more]})

    assert document(answer)["outputs"][0]["data"] == labels(client, GOOD)

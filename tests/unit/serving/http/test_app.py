"""The application as clients meet it, called through RSGI."""

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from terna.contracts.scoring import ScoringRequest, Table
from terna.predictor.compiled_predictor import Prediction
from terna.predictor.predictor import Predictor
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http.app import App
from terna.serving.http.executors import LARGE_BODY
from terna.serving.logs import RequestLog, RequestRecord
from terna.settings import Serving
from tests.rsgi import Answered, AppClient, callers
from tests.unit.workshop import COLUMNS, NAME, Server2, Waiting, Workshop, deployed

MAX_BODY = 100_000
JSON = {"content-type": "application/json"}
NAMES = {"x-model-name": NAME, "x-model-version": "1", "x-model-backend": "pyfunc"}
CUSTOMER = "Ada-Lovelace-0815"
"""A value that no answer and no log may hold."""


@dataclass
class Server(AppClient):
    active: ActiveModel

    def invoke(self, body: bytes, headers: dict[str, str] | None = None) -> Answered:
        return self.ask("POST", "/invocations", body, JSON if headers is None else headers)

    def label(self, **document: Any) -> Answered:
        return self.invoke(json.dumps(document).encode())


@pytest.fixture
def empty(server: Server2) -> Iterator[Server]:
    """A server without a model."""
    app = App(server.active, Serving(threads=2, max_body_bytes=MAX_BODY), server.loader, callers())
    yield Server(app, server.active)
    app.close()


@pytest.fixture
def client(empty: Server, workshop: Workshop, tmp_path: Path) -> Server:
    empty.active.swap(workshop.deploy(tmp_path / "model"))
    return empty


def test_each_row_gets_a_label(client: Server, workshop: Workshop, tmp_path: Path) -> None:
    answer = client.label(inputs=workshop.rows())

    labels = workshop.load(tmp_path / "again").predict_table(Table(workshop.rows()))
    assert answer.status == 200
    assert json.loads(answer.body) == {"predictions": labels}
    assert answer.headers == {**JSON, **NAMES, "x-request-id": answer.headers["x-request-id"]}


def test_nan_is_read_as_null(client: Server) -> None:
    answer = client.invoke(b'{"inputs": [[NaN, NaN, 3, true], [null, null, 3, true]]}')

    assert answer.status == 200
    first, second = json.loads(answer.body)["predictions"]
    assert first == second


@pytest.mark.parametrize("path", ["/ping", "/health"])
def test_health_is_200_once_a_model_is_active(
    empty: Server, workshop: Workshop, tmp_path: Path, path: str
) -> None:
    status, code, message = empty.get(path).error
    assert (status, code) == (503, "TEMPORARILY_UNAVAILABLE")
    assert "promote a version" in message

    empty.active.swap(workshop.deploy(tmp_path / "model"))

    assert empty.get(path).status == 200


def test_version_route_returns_mlflow_major_version_only(client: Server) -> None:
    answer = client.get("/version")

    assert (answer.status, answer.body) == (200, b"3")
    assert answer.headers == {**JSON, "x-request-id": answer.headers["x-request-id"]}


GOOD = [120.5, "basic", 3, True]
ONE_FORM = (
    "The body must hold exactly one of the keys"
    " 'dataframe_split', 'dataframe_records', 'inputs', 'instances'"
)


BAD, INVALID = "BAD_REQUEST", "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize(
    ("document", "code", "message"),
    [
        (
            {"dataframe_records": [{"plan": CUSTOMER, "vip": True}]},
            INVALID,
            "Missing columns: minutes, calls.",
        ),
        (
            {"inputs": [GOOD, [CUSTOMER]]},
            INVALID,
            "Row 1 has 1 values, and the model takes 4: minutes, plan, calls, vip.",
        ),
        ({"inputs": [[CUSTOMER, *GOOD[1:]]]}, BAD, "Row 0: 'minutes' must be a number or null."),
        ({"inputs": [[*GOOD[:2], CUSTOMER, True]]}, BAD, "Row 0: 'calls' must be a whole number."),
        ({"inputs": [[1.5, [CUSTOMER], 3, True]]}, BAD, "Row 0: 'plan' must be text or null."),
        (
            {"dataframe_split": {"columns": COLUMNS, "data": [GOOD, [CUSTOMER]]}},
            BAD,
            "Row 1 has 1 values for 4 columns.",
        ),
        (
            {"inputs": [GOOD], "instances": [[CUSTOMER]]},
            BAD,
            f"{ONE_FORM}; it has several ('inputs', 'instances').",
        ),
        ({CUSTOMER: [GOOD]}, BAD, f"{ONE_FORM}; it has none."),
    ],
)
def test_rows_that_do_not_fit_are_named_without_their_values(
    client: Server,
    caplog: pytest.LogCaptureFixture,
    document: dict[str, Any],
    code: str,
    message: str,
) -> None:
    assert client.label(**document).error == (400, code, message)
    assert CUSTOMER not in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        f'{{"inputs": [[{CUSTOMER}]]}}'.encode(),
        b'{"inputs": [[' + b"9" * 5000 + b"]]}",
    ],
)
def test_invalid_json_is_answered_400(client: Server, body: bytes) -> None:
    assert client.invoke(body).error == (400, "BAD_REQUEST", "The body is not valid JSON.")


@pytest.mark.parametrize(
    ("content_type", "says"),
    [
        (None, "Send one of the content types text/csv, application/json, application/vnd."),
        ("Application/JSON", "Send one of the content types"),
        (f"text/{CUSTOMER}", "Send one of the content types"),
        ("application/json; charset=latin-1", "The scoring server only supports UTF-8"),
        (f"application/json; who={CUSTOMER}", "without parameters other than charset"),
    ],
)
def test_wrong_content_type_is_answered_415_in_plain_text(
    client: Server, content_type: str | None, says: str
) -> None:
    answer = client.invoke(
        b'{"inputs": []}', {"content-type": content_type} if content_type else {}
    )

    assert (answer.status, answer.headers["content-type"]) == (415, "text/plain; charset=utf-8")
    assert says in answer.body.decode()
    assert CUSTOMER not in answer.body.decode()


def test_body_over_the_limit_is_answered_413(client: Server) -> None:
    error = client.invoke(b" " * (MAX_BODY + 1)).error

    assert error == (413, "BAD_REQUEST", "Send at most 100000 bytes at a time: fewer rows.")


@pytest.mark.parametrize("headers", [JSON, JSON | {"content-length": str(MAX_BODY)}])
def test_body_of_exactly_the_limit_is_answered(client: Server, headers: dict[str, str]) -> None:
    body = json.dumps({"inputs": [GOOD]}).encode()

    assert client.invoke(body + b" " * (MAX_BODY - len(body)), headers).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/invocation",
        "/invocations/",
        "/ping/../version",
        f"/{CUSTOMER}",
        "/v2x",
        "/v2/",
        f"/v2/models/{CUSTOMER}/infer/more",
        "/v2/models/churn/versions",
        "/v2/models//infer",
    ],
)
def test_unknown_path_is_answered_404_and_not_repeated(client: Server, path: str) -> None:
    answer = client.get(path)

    document = json.loads(answer.body)
    if path.startswith("/v2/"):
        assert set(document) == {"error"}
    else:
        assert document["error_code"] == "ENDPOINT_NOT_FOUND"
        assert document["message"].startswith(
            "There is no such path: ask one of /invocations, /ping,"
        )
    assert answer.status == 404
    assert CUSTOMER not in answer.body.decode()


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/invocations", "POST"),
        ("PUT", "/invocations", "POST"),
        ("POST", "/ping", "GET"),
        ("HEAD", "/ping", "GET"),
        ("DELETE", "/version", "GET"),
        ("POST", "/docs", "GET"),
        ("POST", "/v2", "GET"),
        ("GET", "/v2/models/churn/infer", "POST"),
        ("POST", "/v2/models/churn", "GET"),
    ],
)
def test_wrong_method_is_answered_405_with_the_allowed_one(
    client: Server, method: str, path: str, allowed: str
) -> None:
    answer = client.ask(method, path, b"{}", JSON)

    assert (answer.status, answer.headers["allow"]) == (405, allowed)
    assert f"This path answers {allowed} only." in answer.body.decode()


def test_request_without_a_model_is_answered_503(empty: Server) -> None:
    status, code, _ = empty.label(inputs=[GOOD]).error

    assert (status, code) == (503, "TEMPORARILY_UNAVAILABLE")


class FailingInside(Predictor):
    """Something of ours fails and says on which value."""

    def predict(self, *sent: Any) -> Prediction:
        raise LookupError(sent)


@pytest.fixture
def failing(empty: Server, workshop: Workshop, tmp_path: Path) -> Server:
    empty.active.swap(deployed(workshop.load_as(FailingInside, tmp_path / "failing")))
    return empty


def test_unexpected_error_shows_no_value(failing: Server, caplog: pytest.LogCaptureFixture) -> None:
    answer = failing.label(inputs=[[1.5, CUSTOMER, 3, True]])

    assert answer.error == (500, "INTERNAL_ERROR", "The server failed on this request.")
    assert caplog.messages == ["unexpected LookupError"]
    assert CUSTOMER not in caplog.text


def test_failing_model_shows_no_value(
    empty: Server,
    workshop: Workshop,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(frame: Any, **_: Any) -> None:
        raise ValueError(f"cannot convert {frame.iloc[0, 1]}")

    predictor = workshop.load(tmp_path / "model")
    monkeypatch.setattr(predictor.pyfunc().model, "predict", fail)
    empty.active.swap(deployed(predictor))

    answer = empty.label(inputs=[[1.5, CUSTOMER, 3, True]])

    assert answer.error == (400, "BAD_REQUEST", "The model failed on these rows.")
    assert CUSTOMER not in caplog.text


def test_request_after_a_failed_one_is_answered(client: Server) -> None:
    assert client.invoke(b"{").status == 400
    assert client.label(inputs=[GOOD]).status == 200


def test_server_starts_from_the_model_cache_and_ends_its_threads(server: Server2) -> None:
    version = server.promote()
    server.poll_once()
    server.registry.reachable = False
    server.restart()
    client = Server(App(server.active, Serving(threads=2), server.loader, callers()), server.active)
    before = set(threading.enumerate())

    loop = asyncio.new_event_loop()
    client.app.__rsgi_init__(loop)
    answer = client.label(inputs=[GOOD])
    client.app.__rsgi_del__(loop)
    loop.close()

    assert (answer.status, answer.headers["x-model-version"]) == (200, str(version.number))
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert set(threading.enumerate()) <= before


@pytest.fixture
def lines() -> list[RequestRecord]:
    return []


@pytest.fixture
def logged(
    server: Server2,
    workshop: Workshop,
    tmp_path: Path,
    lines: list[RequestRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Server]:
    """A server whose request log is a list."""
    log = RequestLog()
    monkeypatch.setattr(log, "add", lines.append)
    server.active.swap(workshop.deploy(tmp_path / "model"))
    app = App(server.active, Serving(threads=2), server.loader, callers(), log)
    yield Server(app, server.active)
    app.close()


def test_request_is_logged_with_id_and_version_without_values(
    logged: Server, lines: list[RequestRecord]
) -> None:
    sent = json.dumps({"inputs": [[1.5, CUSTOMER, 3, True]] * 2}).encode()
    answers = [
        logged.invoke(sent, JSON | {"x-request-id": "order-4711.a"}),
        logged.ask("POST", f"/v2/models/{CUSTOMER}/infer", b"{}", JSON),
        logged.ask(CUSTOMER, f"/{CUSTOMER}"),
    ]

    logged_lines = [
        (line.method, line.route, line.status, line.rows, line.version, line.caller)
        for line in lines
    ]
    assert logged_lines == [
        ("POST", "/invocations", 200, 2, 1, "test"),
        ("POST", "/v2/models/{name}/infer", 404, 0, 0, "test"),
        ("other", "other", 404, 0, 0, ""),
    ]
    assert [line.request_id for line in lines] == [a.headers["x-request-id"] for a in answers]
    assert lines[0].request_id == "order-4711.a"
    assert (lines[0].bytes_in, lines[0].bytes_out) == (len(sent), len(answers[0].body))
    assert CUSTOMER not in json.dumps(msgspec.to_builtins(lines))


def test_overload_is_answered_503_with_retry_after(
    server: Server2, workshop: Workshop, tmp_path: Path
) -> None:
    predictor = workshop.load_as(Waiting, tmp_path / "model")
    server.active.swap(deployed(predictor))
    app = App(server.active, Serving(threads=1, max_queue=0), server.loader, callers())
    client = Server(app, server.active)

    with ThreadPoolExecutor(1) as another:
        first = another.submit(client.label, inputs=[GOOD])
        assert predictor.asked.wait(10)
        answer = client.label(inputs=[GOOD])
        predictor.go_on.set()
        assert first.result().status == 200
    app.close()

    assert answer.error[:2] == (503, "TEMPORARILY_UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"


def test_prediction_over_the_timeout_is_answered_504(
    server: Server2, workshop: Workshop, tmp_path: Path
) -> None:
    predictor = workshop.load_as(Waiting, tmp_path / "model")
    server.active.swap(deployed(predictor))
    app = App(server.active, Serving(timeout_seconds=0.05), server.loader, callers())

    answer = Server(app, server.active).label(inputs=[GOOD])
    predictor.go_on.set()
    app.close()

    assert answer.error == (504, "DEADLINE_EXCEEDED", "Request processing time exceeded limit")


class WaitingIfLarge(Waiting):
    """Waits with large bodies only."""

    def predict(self, request: ScoringRequest) -> Prediction:
        large = len(request.body) >= LARGE_BODY
        return super().predict(request) if large else Predictor.predict(self, request)


def test_large_bodies_do_not_block_a_single_row(
    server: Server2, workshop: Workshop, tmp_path: Path
) -> None:
    predictor = workshop.load_as(WaitingIfLarge, tmp_path / "model")
    server.active.swap(deployed(predictor))
    app = App(server.active, Serving(threads=1, max_body_bytes=MAX_BODY), server.loader, callers())
    client = Server(app, server.active)

    with ThreadPoolExecutor(3) as others:
        large = [others.submit(client.invoke, b" " * LARGE_BODY) for _ in range(3)]
        assert predictor.asked.wait(10)
        answer = client.label(inputs=[GOOD])
        assert not any(waiting.done() for waiting in large)
        predictor.go_on.set()
        assert [waiting.result().status for waiting in large] == [400] * 3
    app.close()

    assert answer.status == 200

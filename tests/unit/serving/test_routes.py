"""HTTP as clients meet it, driven through RSGI."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from terna.contracts.scoring import Rows
from terna.serving.handlers import Handlers
from terna.serving.model import LoadedModel
from terna.serving.routes import App
from terna.serving.slot import Slot
from tests.rsgi import Answered, Client, Protocol
from tests.unit.serving.conftest import COLUMNS, NAME, Server2, Workshop

MAX_BODY = 100_000
JSON = {"content-type": "application/json"}
NAMES = {"x-model-name": NAME, "x-model-version": "1", "x-model-path": "pyfunc"}
CUSTOMER = "Ada-Lovelace-0815"
"""A value that no answer and no log may hold."""


@dataclass
class Server(Client):
    slot: Slot

    def invoke(self, body: bytes, headers: dict[str, str] | None = None) -> Answered:
        return self.ask("POST", "/invocations", body, JSON if headers is None else headers)

    def label(self, **document: Any) -> Answered:
        return self.invoke(json.dumps(document).encode())


@pytest.fixture
def empty(server: Server2) -> Iterator[Server]:
    """A server without a model."""
    handlers = Handlers(server.slot, threads=2)
    yield Server(App(handlers, server.loader, MAX_BODY), server.slot)
    handlers.close()


@pytest.fixture
def client(empty: Server, workshop: Workshop, tmp_path: Path) -> Server:
    empty.slot.swap(workshop.load(tmp_path / "model"))
    return empty


def test_a_label_for_each_customer(client: Server, workshop: Workshop) -> None:
    answer = client.label(inputs=workshop.rows())

    labels = client.slot.take().predict(Rows(workshop.rows()))
    assert answer.status == 200
    assert json.loads(answer.body) == {"predictions": labels}
    assert answer.headers == {**JSON, **NAMES}


def test_nan_as_python_clients_write_it(client: Server) -> None:
    answer = client.invoke(b'{"inputs": [[NaN, NaN, 3, true], [null, null, 3, true]]}')

    assert answer.status == 200
    first, second = json.loads(answer.body)["predictions"]
    assert first == second


@pytest.mark.parametrize("path", ["/ping", "/health"])
def test_healthy_as_soon_as_there_is_a_model(
    empty: Server, workshop: Workshop, tmp_path: Path, path: str
) -> None:
    status, code, message = empty.get(path).error
    assert (status, code) == (503, "TEMPORARILY_UNAVAILABLE")
    assert "promote a version" in message

    empty.slot.swap(workshop.load(tmp_path / "model"))

    assert empty.get(path).status == 200


def test_the_version_route_says_mlflows(client: Server) -> None:
    answer = client.get("/version")

    assert (answer.status, answer.body) == (200, b"3.17.2")
    assert answer.headers == {**JSON, **NAMES}


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
def test_rows_that_the_model_does_not_take(
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
def test_a_body_that_is_not_json(client: Server, body: bytes) -> None:
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
def test_a_wrong_content_type_is_told_in_plain_text(
    client: Server, content_type: str | None, says: str
) -> None:
    answer = client.invoke(
        b'{"inputs": []}', {"content-type": content_type} if content_type else {}
    )

    assert (answer.status, answer.headers["content-type"]) == (415, "text/plain; charset=utf-8")
    assert says in answer.body.decode()
    assert CUSTOMER not in answer.body.decode()


TOO_LARGE = (413, "BAD_REQUEST", "Send at most 100000 bytes at a time: fewer rows.")


def test_a_body_that_says_it_is_too_large_is_not_read(client: Server) -> None:
    protocol = Protocol([b" " * 1000] * 101)
    headers = JSON | {"content-length": "100001"}

    assert client.send("POST", "/invocations", protocol, headers).error == TOO_LARGE
    assert protocol.read == 0


def test_a_body_that_turns_out_too_large_is_read_no_further(client: Server) -> None:
    protocol = Protocol([b" " * 1000] * 500)

    assert client.send("POST", "/invocations", protocol, JSON).error == TOO_LARGE
    assert protocol.read == 101


@pytest.mark.parametrize("headers", [JSON, JSON | {"content-length": str(MAX_BODY)}])
def test_a_body_as_large_as_allowed(client: Server, headers: dict[str, str]) -> None:
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
        "/v2/",
        f"/v2/models/{CUSTOMER}/infer/more",
        "/v2/models/churn/versions",
        "/v2/models//infer",
    ],
)
def test_an_unknown_path_is_not_repeated(client: Server, path: str) -> None:
    answer = client.get(path)

    said = json.loads(answer.body)
    if path.startswith("/v2"):
        assert set(said) == {"error"}
    else:
        assert said["error_code"] == "ENDPOINT_NOT_FOUND"
        assert said["message"].startswith("There is no such path: ask one of /invocations, /ping,")
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
def test_a_wrong_method_is_told_which_is_right(
    client: Server, method: str, path: str, allowed: str
) -> None:
    answer = client.ask(method, path, b"{}", JSON)

    assert (answer.status, answer.headers["allow"]) == (405, allowed)
    assert f"This path answers {allowed} only." in answer.body.decode()


def test_without_a_model_a_request_is_told_to_come_back(empty: Server) -> None:
    status, code, _ = empty.label(inputs=[GOOD]).error

    assert (status, code) == (503, "TEMPORARILY_UNAVAILABLE")


class FailingInside(LoadedModel):
    """Something of ours fails and says on which value."""

    def answer(self, *sent: Any) -> tuple[bytes, str]:
        raise LookupError(sent)


@pytest.fixture
def failing(empty: Server, workshop: Workshop, tmp_path: Path) -> Server:
    empty.slot.swap(workshop.load_as(FailingInside, tmp_path / "failing"))
    return empty


def test_an_unexpected_failure_tells_nobody_a_customers_value(
    failing: Server, caplog: pytest.LogCaptureFixture
) -> None:
    answer = failing.label(inputs=[[1.5, CUSTOMER, 3, True]])

    assert answer.error == (500, "INTERNAL_ERROR", "The server failed on this request.")
    assert caplog.messages == ["unexpected LookupError"]
    assert CUSTOMER not in caplog.text


def test_a_model_that_fails_tells_nobody_a_customers_value(
    client: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(frame: Any, **_: Any) -> None:
        raise ValueError(f"cannot convert {frame.iloc[0, 1]}")

    monkeypatch.setattr(client.slot.take().original.model, "predict", fail)

    answer = client.label(inputs=[[1.5, CUSTOMER, 3, True]])

    assert answer.error == (400, "BAD_REQUEST", "The model failed on these rows.")
    assert caplog.messages == ["the model failed: ValueError"]
    assert CUSTOMER not in caplog.text


def test_one_failure_does_not_spoil_the_next_request(client: Server) -> None:
    assert client.invoke(b"{").status == 400
    assert client.label(inputs=[GOOD]).status == 200


def test_the_server_starts_from_the_local_copy_and_ends_its_threads(server: Server2) -> None:
    version = server.promote()
    server.look()
    server.registry.reachable = False
    server.restart()
    handlers = Handlers(server.slot, threads=2)
    client = Server(App(handlers, server.loader, MAX_BODY), server.slot)
    before = set(threading.enumerate())

    client.app.__rsgi_init__(None)
    answer = client.label(inputs=[GOOD])
    client.app.__rsgi_del__(None)

    assert (answer.status, answer.headers["x-model-version"]) == (200, str(version.number))
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert set(threading.enumerate()) <= before

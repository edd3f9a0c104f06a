"""HTTP as clients meet it, driven through RSGI."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from terna.contracts.scoring import Rows
from terna.contracts.version import Version
from terna.serving.handlers import Handlers
from terna.serving.model import LoadedModel
from terna.serving.routes import App
from terna.serving.slot import Slot
from tests.unit.serving.conftest import COLUMNS, NAME, Server2, Workshop

MAX_BODY = 100_000
JSON = {"content-type": "application/json"}
CUSTOMER = "Ada-Lovelace-0815"
"""A value that no answer and no log may hold."""


@dataclass
class Scope:
    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> tuple[int, str, str]:
        document = json.loads(self.body)
        assert set(document) == {"error_code", "message"}
        return self.status, document["error_code"], document["message"]


@dataclass
class Protocol:
    """One request's body, chunk by chunk, and its response."""

    chunks: Iterable[bytes]
    read: int = 0
    answers: list[Answered] = field(default_factory=list)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            self.read += 1
            yield chunk

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.answers.append(Answered(status, dict(headers), body))


@dataclass
class Client:
    app: App
    slot: Slot

    def send(self, method: str, path: str, protocol: Protocol, headers: dict[str, str]) -> Answered:
        asyncio.run(self.app.__rsgi__(Scope(method, path, headers), protocol))
        (answer,) = protocol.answers
        return answer

    def get(self, path: str) -> Answered:
        return self.send("GET", path, Protocol([]), {})

    def post(self, body: bytes, headers: dict[str, str] | None = None) -> Answered:
        protocol = Protocol([body[:7], body[7:]])
        return self.send("POST", "/invocations", protocol, JSON if headers is None else headers)

    def ask(self, **document: Any) -> Answered:
        return self.post(json.dumps(document).encode())


@pytest.fixture
def empty(server: Server2) -> Iterator[Client]:
    """A server without a model."""
    handlers = Handlers(server.slot, threads=2)
    yield Client(App(handlers, server.loader, MAX_BODY), server.slot)
    handlers.close()


@pytest.fixture
def client(empty: Client, workshop: Workshop, tmp_path: Path) -> Client:
    empty.slot.swap(workshop.load(tmp_path / "model"))
    return empty


def test_a_label_for_each_customer(client: Client, workshop: Workshop) -> None:
    answer = client.ask(inputs=workshop.rows())

    labels = client.slot.take().predict(Rows(workshop.rows()))
    assert answer.status == 200
    assert json.loads(answer.body) == {"predictions": labels}
    assert answer.headers == {**JSON, "x-model-name": NAME, "x-model-version": "1"}


def test_nan_as_python_clients_write_it(client: Client) -> None:
    answer = client.post(b'{"inputs": [[NaN, NaN, 3, true], [null, null, 3, true]]}')

    assert answer.status == 200
    first, second = json.loads(answer.body)["predictions"]
    assert first == second


@pytest.mark.parametrize("path", ["/ping", "/health"])
def test_healthy_as_soon_as_there_is_a_model(
    empty: Client, workshop: Workshop, tmp_path: Path, path: str
) -> None:
    status, code, message = empty.get(path).error
    assert (status, code) == (503, "TEMPORARILY_UNAVAILABLE")
    assert "promote a version" in message

    empty.slot.swap(workshop.load(tmp_path / "model"))

    assert empty.get(path).status == 200


def test_the_version_route_says_mlflows(client: Client) -> None:
    answer = client.get("/version")

    assert (answer.status, answer.body) == (200, b"3.17.2")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-model-version"] == "1"


GOOD = [120.5, "basic", 3, True]
ONE_FORM = (
    "The body must hold exactly one of the keys"
    " 'dataframe_split', 'dataframe_records', 'inputs', 'instances'"
)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"dataframe_records": [{"plan": CUSTOMER, "vip": True}]},
            "Missing columns: minutes, calls.",
        ),
        (
            {"inputs": [GOOD, [CUSTOMER]]},
            "Row 1 has 1 values, and the model takes 4: minutes, plan, calls, vip.",
        ),
        ({"inputs": [[CUSTOMER, *GOOD[1:]]]}, "Row 0: 'minutes' must be a number or null."),
        ({"inputs": [[*GOOD[:3], CUSTOMER]]}, "Row 0: 'vip' must be true or false."),
        ({"inputs": [[*GOOD[:2], CUSTOMER, True]]}, "Row 0: 'calls' must be a whole number."),
        ({"inputs": [[1.5, [CUSTOMER], 3, True]]}, "Row 0: 'plan' must be text or null."),
        (
            {"dataframe_split": {"columns": COLUMNS, "data": [GOOD, [CUSTOMER]]}},
            "Row 1 has 1 values for 4 columns.",
        ),
        (
            {"inputs": [GOOD], "instances": [[CUSTOMER]]},
            f"{ONE_FORM}; it has several ('inputs', 'instances').",
        ),
        ({CUSTOMER: [GOOD]}, f"{ONE_FORM}; it has none."),
    ],
)
def test_rows_that_the_model_does_not_take(
    client: Client, caplog: pytest.LogCaptureFixture, document: dict[str, Any], message: str
) -> None:
    assert client.ask(**document).error == (400, "BAD_REQUEST", message)
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
def test_a_body_that_is_not_json(client: Client, body: bytes) -> None:
    assert client.post(body).error == (400, "BAD_REQUEST", "The body is not valid JSON.")


@pytest.mark.parametrize("headers", [{}, {"content-type": "text/csv"}])
def test_a_wrong_content_type(client: Client, headers: dict[str, str]) -> None:
    assert client.post(b'{"inputs": []}', headers).error == (
        415,
        "BAD_REQUEST",
        "Send the rows as application/json.",
    )


TOO_LARGE = (413, "BAD_REQUEST", "Send at most 100000 bytes at a time: fewer rows.")


def test_a_body_that_says_it_is_too_large_is_not_read(client: Client) -> None:
    protocol = Protocol([b" " * 1000] * 101)
    headers = JSON | {"content-length": "100001"}

    assert client.send("POST", "/invocations", protocol, headers).error == TOO_LARGE
    assert protocol.read == 0


@pytest.mark.parametrize("headers", [JSON, JSON | {"content-length": "7"}])
def test_a_body_that_turns_out_too_large_is_read_no_further(
    client: Client, headers: dict[str, str]
) -> None:
    protocol = Protocol([b" " * 1000] * 500)

    assert client.send("POST", "/invocations", protocol, headers).error == TOO_LARGE
    assert protocol.read == 101


def test_a_body_as_large_as_allowed(client: Client) -> None:
    body = json.dumps({"inputs": [GOOD]}).encode()

    assert client.post(body + b" " * (MAX_BODY - len(body))).status == 200


@pytest.mark.parametrize("path", ["/", "/invocation", "/invocations/", "/ping/../version"])
def test_an_unknown_path(client: Client, path: str) -> None:
    assert client.get(path).error == (
        404,
        "ENDPOINT_NOT_FOUND",
        f"There is no {path}: ask one of /invocations, /ping, /health, /version.",
    )


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/invocations", "POST"),
        ("PUT", "/invocations", "POST"),
        ("POST", "/ping", "GET"),
        ("DELETE", "/version", "GET"),
    ],
)
def test_a_wrong_method(client: Client, method: str, path: str, allowed: str) -> None:
    answer = client.send(method, path, Protocol([b"{}"]), JSON)

    assert answer.error == (405, "BAD_REQUEST", f"{path} answers {allowed} only.")


def test_without_a_model_a_request_is_told_to_come_back(empty: Client) -> None:
    status, code, _ = empty.ask(inputs=[GOOD]).error

    assert (status, code) == (503, "TEMPORARILY_UNAVAILABLE")


class FailingInside(LoadedModel):
    """MLflow's model fails and says on which value."""

    def _frame(self, rows: Rows) -> Any:
        raise LookupError(rows.values)


@pytest.fixture
def failing(empty: Client, workshop: Workshop, tmp_path: Path) -> Client:
    folder = workshop.make(tmp_path / "failing")
    empty.slot.swap(FailingInside.load(Version(NAME, 1, "", "run1"), folder))
    return empty


def test_an_unexpected_failure_tells_nobody_a_customers_value(
    failing: Client, caplog: pytest.LogCaptureFixture
) -> None:
    answer = failing.ask(inputs=[[1.5, CUSTOMER, 3, True]])

    assert answer.error == (500, "INTERNAL_ERROR", "The server failed on this request.")
    assert caplog.messages == ["unexpected LookupError at /invocations"]
    assert CUSTOMER not in caplog.text


def test_a_model_that_fails_tells_nobody_a_customers_value(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(frame: Any) -> None:
        raise ValueError(f"cannot convert {frame.iloc[0, 1]}")

    monkeypatch.setattr(client.slot.take()._model, "predict", fail)

    answer = client.ask(inputs=[[1.5, CUSTOMER, 3, True]])

    assert answer.error == (500, "INTERNAL_ERROR", "The model failed on these rows.")
    assert caplog.messages == ["the model failed: ValueError"]
    assert CUSTOMER not in caplog.text


def test_one_failure_does_not_spoil_the_next_request(client: Client) -> None:
    assert client.post(b"{").status == 400
    assert client.ask(inputs=[GOOD]).status == 200


def test_the_server_starts_from_the_local_copy_and_ends_its_threads(server: Server2) -> None:
    version = server.promote()
    server.look()
    server.registry.reachable = False
    server.restart()
    handlers = Handlers(server.slot, threads=2)
    client = Client(App(handlers, server.loader, MAX_BODY), server.slot)
    before = set(threading.enumerate())

    client.app.__rsgi_init__(None)
    answer = client.ask(inputs=[GOOD])
    client.app.__rsgi_del__(None)

    assert (answer.status, answer.headers["x-model-version"]) == (200, str(version.number))
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert set(threading.enumerate()) <= before

"""Both clients, over real TLS on loopback: each test holds for either."""

import asyncio
import json
import math
import ssl
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest

from terna.erp.client import AsyncClient, Client, Connection, Predictions
from terna.errors import (
    BadRequest,
    ServingRefused,
    ServingUnavailable,
    ServingUnreachable,
    SettingsError,
)
from terna.security.ca import Service, ensure_certificates

TWO = [[1], [2]]
NAMED = {"x-model-name": "rfc_tune", "x-model-version": "7"}


@dataclass
class Serving:
    """What the server answers next, and what it was asked."""

    status: int = 200
    body: bytes = b'{"predictions": ["no", "yes"]}'
    headers: dict[str, str] = field(default_factory=lambda: dict(NAMED))
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    connections: set[int] = field(default_factory=set)
    keys: list[str | None] = field(default_factory=list)
    port: int = 0
    hangs_up_on: Collection[int] = ()
    busy_at: Collection[int] = ()
    """The requests that it answers 503, by their number."""

    def connection(self, ca: Path, host: str = "localhost") -> Connection:
        endpoint = f"https://{host}:{self.port}/invocations"
        return Connection(endpoint, ca=ca, api_key_file=ca.with_name("api-key"))


class Blocking:
    """`AsyncClient`, used as `Client` is."""

    def __init__(self, connection: Connection) -> None:
        self._client = AsyncClient(connection)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._runner.run(self._client.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        with self._runner:
            self._runner.run(self._client.__aexit__())

    def predict(
        self, customers: list[Any], probabilities: bool = False, ids: list[str] | None = None
    ) -> Predictions:
        return self._runner.run(self._client.predict(customers, probabilities, ids))

    def predict_in_batches(
        self, customers: list[Any], size: int = 500, ids: list[str] | None = None
    ) -> list[Predictions]:
        async def collect() -> list[Predictions]:
            batches = self._client.predict_in_batches(customers, size=size, ids=ids)
            return [batch async for batch in batches]

        return self._runner.run(collect())

    def version(self) -> int | None:
        return self._runner.run(self._client.version())

    def description(self) -> dict[str, Any]:
        return self._runner.run(self._client.description())


Ask = type[Client] | type[Blocking]


@pytest.fixture(params=[Client, Blocking], ids=["Client", "AsyncClient"])
def ask(request: pytest.FixtureRequest) -> Ask:
    found: Ask = request.param
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA and the serving server's certificate."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def ca(place: Path) -> Path:
    return place / "certs/ca.crt"


@pytest.fixture
def serving(place: Path) -> Iterator[Serving]:
    with listening(place, Serving()) as serving:
        yield serving


def make_certificates(root: Path) -> Path:
    ensure_certificates(root / "certs", root / "secrets", [Service("serving", ("localhost",))])
    (root / "certs/api-key").write_text("erp.first\n")
    return root


@contextmanager
def listening(place: Path, serving: Serving) -> Iterator[Serving]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            asked = json.loads(content) if content else None
            serving.asked.append((self.command, self.path, asked))
            serving.keys.append(self.headers["authorization"])
            serving.connections.add(self.client_address[1])
            if len(serving.asked) in serving.hangs_up_on:
                self.close_connection = True
                return
            self.send_response(503 if len(serving.asked) in serving.busy_at else serving.status)
            for name, value in serving.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(serving.body)))
            self.end_headers()
            self.wfile.write(serving.body)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # the client refused this server, as some tests want

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place / "certs/serving/tls.crt", place / "secrets/serving/tls.key")
    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        serving.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield serving
        server.shutdown()
        thread.join()


def test_each_customer_gets_a_label_with_the_version(serving: Serving, ca: Path, ask: Ask) -> None:
    customers = [[128, "no"], [42.5, "yes"]]

    with ask(serving.connection(ca)) as client:
        answer = client.predict(customers)

    assert answer == Predictions(["no", "yes"], "rfc_tune", 7)
    assert serving.asked == [("POST", "/invocations", {"inputs": customers})]


def test_customers_by_name_are_sent_as_they_are(serving: Serving, ca: Path, ask: Ask) -> None:
    customers = [{"minutes": 128, "plan": "no"}, {"minutes": 42.5, "plan": "Prémium 客"}]

    with ask(serving.connection(ca)) as client:
        client.predict(customers)

    assert serving.asked == [("POST", "/invocations", {"inputs": customers})]


def test_nan_of_a_missing_value_is_sent(serving: Serving, ca: Path, ask: Ask) -> None:
    with ask(serving.connection(ca)) as client:
        client.predict([(math.nan, None), (1, 2)])

    ((_, _, asked),) = serving.asked
    assert math.isnan(asked["inputs"][0][0])
    assert asked["inputs"][0][1] is None


def test_many_customers_are_sent_in_requests_of_bounded_size(
    serving: Serving, ca: Path, ask: Ask
) -> None:
    with ask(serving.connection(ca)) as client:
        batches = list(client.predict_in_batches([[n] for n in range(4)], size=2))

    assert batches == [Predictions(["no", "yes"], "rfc_tune", 7)] * 2
    assert [asked["inputs"] for _, _, asked in serving.asked] == [[[0], [1]], [[2], [3]]]


def test_ids_are_sent_as_the_names_of_rows(serving: Serving, ca: Path, ask: Ask) -> None:
    with ask(serving.connection(ca)) as client:
        answer = client.predict([{"minutes": 128}, {"minutes": 42.5}], ids=["x1", "x2"])

    assert answer == Predictions(["no", "yes"], "rfc_tune", 7)
    table = {"columns": ["minutes"], "data": [[128], [42.5]], "index": ["x1", "x2"]}
    assert serving.asked == [("POST", "/invocations", {"dataframe_split": table})]


def test_each_batch_has_the_ids_of_its_customers(serving: Serving, ca: Path, ask: Ask) -> None:
    with ask(serving.connection(ca)) as client:
        list(client.predict_in_batches([[n] for n in range(4)], size=2, ids=["a", "b", "c", "d"]))

    tables = [asked["dataframe_split"] for _, _, asked in serving.asked]
    assert tables == [
        {"data": [[0], [1]], "index": ["a", "b"]},
        {"data": [[2], [3]], "index": ["c", "d"]},
    ]


def test_no_customers_are_no_request(serving: Serving, ca: Path, ask: Ask) -> None:
    with ask(serving.connection(ca)) as client:
        assert list(client.predict_in_batches([])) == []
    assert serving.asked == []


def test_batches_are_asked_for_when_they_are_wanted(serving: Serving, ca: Path) -> None:
    with Client(serving.connection(ca)) as client:
        batches = client.predict_in_batches(([n] for n in range(4)), size=2)
        assert serving.asked == []
        assert next(batches).version == 7
        serving.headers["x-model-version"] = "8"
        assert next(batches).version == 8


def test_probabilities_come_with_the_labels(serving: Serving, ca: Path, ask: Ask) -> None:
    serving.body = b'{"predictions": [[0.25, 0.75]], "classes": ["no", "yes"]}'

    with ask(serving.connection(ca)) as client:
        answer = client.predict([[1]], probabilities=True)

    assert answer.probabilities == [{"no": 0.25, "yes": 0.75}]
    params = [asked.get("params") for _, _, asked in serving.asked]
    assert params == [None, {"predict_method": "predict_proba"}]


def test_many_requests_use_one_connection(serving: Serving, ca: Path, ask: Ask) -> None:
    with ask(serving.connection(ca)) as client:
        for _ in range(3):
            client.predict(TWO)

    assert len(serving.connections) == 1


def test_request_on_a_connection_just_closed_is_sent_again(
    serving: Serving, ca: Path, ask: Ask
) -> None:
    serving.hangs_up_on = [2]
    with ask(serving.connection(ca)) as client:
        assert [client.predict(TWO).version, client.predict(TWO).version] == [7, 7]

    assert len(serving.asked) == 3
    assert len(serving.connections) == 2


def test_server_that_always_hangs_up_is_asked_twice(serving: Serving, ca: Path, ask: Ask) -> None:
    serving.hangs_up_on = range(100)
    with ask(serving.connection(ca)) as client, pytest.raises(ServingUnreachable):
        client.predict(TWO)

    assert len(serving.asked) == 2


def test_busy_server_is_asked_again(serving: Serving, ca: Path, ask: Ask) -> None:
    serving.busy_at, serving.headers["retry-after"] = [1, 2], "0"
    with ask(serving.connection(ca)) as client:
        assert client.predict(TWO).version == 7

    assert len(serving.asked) == 3


def test_bad_request_has_the_servers_message(serving: Serving, ca: Path, ask: Ask) -> None:
    serving.status = 400
    serving.body = b'{"error_code": "BAD_REQUEST", "message": "Missing columns: minutes."}'

    with ask(serving.connection(ca)) as client, pytest.raises(BadRequest) as refused:
        client.predict([{}])

    assert str(refused.value) == "Missing columns: minutes."


def test_version_is_that_of_the_model_that_serves(serving: Serving, ca: Path, ask: Ask) -> None:
    with ask(serving.connection(ca)) as client:
        assert client.version() == 7
    assert serving.asked == [("GET", "/v2/models", None)]


def test_description_is_the_document_of_the_model_that_serves(
    serving: Serving, ca: Path, ask: Ask
) -> None:
    serving.body = b'{"openapi": "3.1.0", "info": {"version": "7"}}'
    with ask(serving.connection(ca)) as client:
        assert client.description() == {"openapi": "3.1.0", "info": {"version": "7"}}
    assert serving.asked == [("GET", "/openapi.json", None)]
    assert serving.keys == ["Bearer erp.first"]


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b'"text"', b"null", b"7"])
def test_what_is_no_document_is_no_description(
    serving: Serving, ca: Path, ask: Ask, body: bytes
) -> None:
    serving.body = body
    with ask(serving.connection(ca)) as client, pytest.raises(ServingUnreachable):
        client.description()


def test_description_while_there_is_no_version_is_unavailable(
    serving: Serving, ca: Path, ask: Ask
) -> None:
    serving.status, serving.headers["retry-after"] = 503, "4"
    serving.body = b'{"error_code": "TEMPORARILY_UNAVAILABLE", "message": "No model yet."}'
    with (
        ask(serving.connection(ca)) as client,
        pytest.raises(ServingUnavailable, match=r"503: No model yet\.") as refused,
    ):
        client.description()
    assert refused.value.retry_after == 4
    assert len(serving.asked) == 1


def test_description_is_refused_without_the_right_key(serving: Serving, ca: Path, ask: Ask) -> None:
    serving.status = 403
    serving.body = b'{"error_code": "PERMISSION_DENIED", "message": "This key may not."}'
    with (
        ask(serving.connection(ca)) as client,
        pytest.raises(ServingRefused, match=r"refuses: This key may not\."),
    ):
        client.description()


def test_key_is_sent_and_read_again_when_it_is_refused(
    serving: Serving, ca: Path, ask: Ask
) -> None:
    key = ca.with_name("api-key")
    with ask(serving.connection(ca)) as client:
        client.predict(TWO)
        key.write_text("erp.second\n")
        serving.status = 401
        serving.body = b'{"error_code": "UNAUTHENTICATED", "message": "Send an API key."}'
        with pytest.raises(ServingRefused, match=r"refuses: Send an API key\."):
            client.predict(TWO)
    key.write_text("erp.first\n")
    assert serving.keys == ["Bearer erp.first", "Bearer erp.first", "Bearer erp.second"]


def test_files_are_read_before_anything_is_sent(serving: Serving, tmp_path: Path, ask: Ask) -> None:
    with pytest.raises(SettingsError, match="that can be read"):
        ask(serving.connection(tmp_path / "ca.crt"))


def test_server_of_another_ca_is_refused_before_customers_are_sent(
    serving: Serving, tmp_path: Path, ask: Ask
) -> None:
    other = make_certificates(tmp_path) / "certs/ca.crt"

    with (
        ask(serving.connection(other)) as client,
        pytest.raises(ServingUnreachable, match="does not answer") as refused,
    ):
        client.predict(TWO)

    assert "CERTIFICATE_VERIFY_FAILED" in str(refused.value.__cause__)
    assert serving.asked == []


def test_server_under_another_name_is_refused(serving: Serving, ca: Path, ask: Ask) -> None:
    with (
        ask(serving.connection(ca, host="127.0.0.1")) as client,
        pytest.raises(ServingUnreachable),
    ):
        client.predict(TWO)

    assert serving.asked == []


def test_refused_connection_asks_whether_serving_runs(place: Path, ca: Path, ask: Ask) -> None:
    with listening(place, Serving()) as gone:
        connection = gone.connection(ca)

    with (
        ask(connection) as client,
        pytest.raises(ServingUnreachable, match=r"ConnectError.*Is serving running\?"),
    ):
        client.version()

"""The ERP's client, over real TLS on loopback."""

import json
import math
import ssl
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from terna.erp.client import Client, Predictions
from terna.errors import BadRequest, ServingRefused, ServingUnreachable, SettingsError
from terna.security.ca import Service, ensure_certificates
from terna.settings import Erp

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

    def erp(self, ca: Path, timeout: float = 10) -> Erp:
        endpoint = f"https://localhost:{self.port}/invocations"
        key, certificate = ca.with_name("api-key"), ca.with_name("no.crt")
        return Erp(
            endpoint=endpoint,
            ca=ca,
            timeout_seconds=timeout,
            api_key_file=key,
            certificate=certificate,
        )


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
            self.send_response(serving.status)
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


def test_each_customer_gets_a_label_with_the_version(serving: Serving, ca: Path) -> None:
    customers = [[128, "no"], [42.5, "yes"]]

    with Client(serving.erp(ca)) as client:
        answer = client.predict(customers)

    assert answer == Predictions(["no", "yes"], "rfc_tune", 7)
    assert serving.asked == [("POST", "/invocations", {"inputs": customers})]


def test_customers_by_name_are_sent_as_they_are(serving: Serving, ca: Path) -> None:
    customers = [{"minutes": 128, "plan": "no"}, {"minutes": 42.5, "plan": "Prémium 客"}]

    with Client(serving.erp(ca)) as client:
        client.predict(customers)

    assert serving.asked == [("POST", "/invocations", {"inputs": customers})]


def test_nan_of_a_missing_value_is_sent(serving: Serving, ca: Path) -> None:
    with Client(serving.erp(ca)) as client:
        client.predict([(math.nan, None)])

    ((_, _, asked),) = serving.asked
    assert math.isnan(asked["inputs"][0][0])
    assert asked["inputs"][0][1] is None


def test_many_requests_use_one_connection(serving: Serving, ca: Path) -> None:
    with Client(serving.erp(ca)) as client:
        for _ in range(3):
            client.predict([[1]])

    assert len(serving.connections) == 1


def test_request_on_a_connection_just_closed_is_sent_again(serving: Serving, ca: Path) -> None:
    serving.hangs_up_on = [2]
    with Client(serving.erp(ca)) as client:
        assert [client.predict([[1]]).version, client.predict([[2]]).version] == [7, 7]

    assert [asked["inputs"] for _, _, asked in serving.asked] == [[[1]], [[2]], [[2]]]
    assert len(serving.connections) == 2


def test_server_that_always_hangs_up_is_asked_twice(serving: Serving, ca: Path) -> None:
    serving.hangs_up_on = range(100)
    with Client(serving.erp(ca)) as client, pytest.raises(ServingUnreachable):
        client.predict([[1]])

    assert len(serving.asked) == 2


def test_bad_request_has_the_servers_message(serving: Serving, ca: Path) -> None:
    serving.status = 400
    serving.body = b'{"error_code": "BAD_REQUEST", "message": "Missing columns: minutes."}'

    with Client(serving.erp(ca)) as client, pytest.raises(BadRequest) as refused:
        client.predict([{}])

    assert str(refused.value) == "Missing columns: minutes."


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, b'{"error_code": "TEMPORARILY_UNAVAILABLE", "message": "No model yet."}'),
        (502, b"<html>Bad Gateway</html>"),
        (400, b"<html>The plain HTTP request was sent to HTTPS port</html>"),
        (200, b"<html>Welcome to nginx!</html>"),
        (200, b'{"something": "else"}'),
        (200, b"[]"),
    ],
)
def test_answer_without_labels_is_one_line_with_the_status(
    serving: Serving, ca: Path, status: int, body: bytes
) -> None:
    serving.status, serving.body = status, body

    with (
        Client(serving.erp(ca)) as client,
        pytest.raises(ServingUnreachable, match=f"/invocations answers {status} without labels"),
    ):
        client.predict([[1]])


def test_labels_without_the_models_name_are_refused(serving: Serving, ca: Path) -> None:
    serving.headers.clear()

    with Client(serving.erp(ca)) as client, pytest.raises(ServingUnreachable):
        client.predict([[1]])


def test_version_is_that_of_the_model_that_serves(serving: Serving, ca: Path) -> None:
    with Client(serving.erp(ca)) as client:
        assert client.version() == 7
    assert serving.asked == [("GET", "/v2/models", None)]


def test_key_is_sent_and_read_again_when_it_is_refused(serving: Serving, ca: Path) -> None:
    key = ca.with_name("api-key")
    with Client(serving.erp(ca)) as client:
        client.predict([[1]])
        key.write_text("erp.second\n")
        serving.status = 401
        serving.body = b'{"error_code": "UNAUTHENTICATED", "message": "Send an API key."}'
        with pytest.raises(ServingRefused, match=r"refuses: Send an API key\."):
            client.predict([[1]])
    key.write_text("erp.first\n")
    assert serving.keys == ["Bearer erp.first", "Bearer erp.first", "Bearer erp.second"]


def test_missing_key_is_named_with_its_setting(serving: Serving, ca: Path, tmp_path: Path) -> None:
    erp = serving.erp(ca).model_copy(update={"api_key_file": tmp_path / "none"})
    with pytest.raises(SettingsError, match=r"/none holds no API key .* TERNA_ERP_API_KEY_FILE"):
        Client(erp)


def test_certificate_that_cannot_be_read_is_named_with_its_setting(
    serving: Serving, ca: Path
) -> None:
    erp = serving.erp(ca).model_copy(update={"certificate": ca, "key": ca})
    with pytest.raises(SettingsError, match="TERNA_ERP_CERTIFICATE and TERNA_ERP_KEY"):
        Client(erp)


def test_version_is_none_while_no_model_answers(serving: Serving, ca: Path) -> None:
    serving.status = 503
    serving.headers.clear()

    with Client(serving.erp(ca)) as client:
        assert client.version() is None


def test_server_of_another_ca_is_refused_before_customers_are_sent(
    serving: Serving, tmp_path: Path
) -> None:
    other = make_certificates(tmp_path) / "certs/ca.crt"

    with (
        Client(serving.erp(other)) as client,
        pytest.raises(ServingUnreachable, match="does not answer") as refused,
    ):
        client.predict([[1]])

    assert "CERTIFICATE_VERIFY_FAILED" in str(refused.value.__cause__)
    assert serving.asked == []


def test_server_under_another_name_is_refused(serving: Serving, ca: Path) -> None:
    erp = serving.erp(ca).model_copy(
        update={"endpoint": f"https://127.0.0.1:{serving.port}/invocations"}
    )

    with Client(erp) as client, pytest.raises(ServingUnreachable):
        client.predict([[1]])

    assert serving.asked == []


def test_refused_connection_asks_whether_serving_runs(place: Path, ca: Path) -> None:
    with listening(place, Serving()) as gone:
        erp = gone.erp(ca)

    with (
        Client(erp) as client,
        pytest.raises(ServingUnreachable, match=r"ConnectError.*Is serving running\?"),
    ):
        client.version()


def a_key(root: Path) -> Path:
    path = root / "api-key"
    path.write_text("erp.first")
    return path


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_unreadable_ca_names_its_setting(tmp_path: Path, content: bytes | None) -> None:
    missing = tmp_path / "ca.crt"
    if content is not None:
        missing.write_bytes(content)

    with pytest.raises(SettingsError, match=r"ca\.crt is no CA certificate.*TERNA_ERP_CA"):
        Client(Erp(ca=missing, api_key_file=a_key(tmp_path)))

"""Server 3's reverse proxy: what its callers can count on, and what its operator can change."""

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from terna.erp.connection import authorization
from terna.erp.from_settings import connection_of
from terna.security.ca import Service, ensure_certificates
from tests.checkout import ROOT
from tests.clients import client_of
from tests.e2e.customers import holdout_rows
from tests.e2e.stacks.compose import ComposeStack, trusting
from tests.engine import docker

pytestmark = pytest.mark.only_on("compose")

JSON = {"content-type": "application/json"}
TEN_MB = 10_000_000


@pytest.fixture
def caller(replica: ComposeStack) -> Iterator[httpx.Client]:
    with calling(replica) as client:
        yield client


def calling(replica: ComposeStack) -> httpx.Client:
    proxy = httpx.URL(replica.settings.erp.endpoint).join("/")
    return client_of(replica.settings.erp, base_url=proxy, timeout=60)  # the first pyfunc is slow


def request_body(size: int = 0) -> bytes:
    """Return a request for one customer's label, padded to so many bytes."""
    return json.dumps({"inputs": holdout_rows(1)}).encode().ljust(size)


def ask(client: httpx.Client, **more: Any) -> httpx.Response:
    return client.post("/invocations", content=request_body(), headers=JSON, **more)


def error_of(response: httpx.Response) -> tuple[int, str]:
    """Return an error's status and code; fails the test when its form is not that of all errors."""
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error_code", "message"}
    return response.status_code, response.json()["error_code"]


@contextmanager
def connected(
    replica: ComposeStack,
    at_most: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
    protocols: Sequence[str] = (),
) -> Iterator[ssl.SSLSocket]:
    """Open a connection to the reverse proxy, on which nothing has been sent yet."""
    context = trusting(replica.settings.erp.ca)
    context.maximum_version = at_most
    context.set_alpn_protocols(list(protocols))
    with (
        socket.create_connection(("localhost", replica.project.https_port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        yield secured


def inside(replica: ComposeStack, script: str, service: str = "proxy") -> str:
    """Return what a shell's line prints inside a container."""
    return replica.project.compose("exec", "-T", service, "bash", "-c", script)


# ---- TLS ----------------------------------------------------------------------------------------


def test_tls_1_3_is_accepted_and_tls_1_2_refused(replica: ComposeStack) -> None:
    with connected(replica) as connection:
        assert connection.version() == "TLSv1.3"
    with (
        pytest.raises(ssl.SSLError, match="alert protocol version"),
        connected(replica, at_most=ssl.TLSVersion.TLSv1_2),
    ):
        pass


def test_key_exchange_is_post_quantum(replica: ComposeStack) -> None:
    told = inside(replica, "openssl s_client -connect localhost:8443 </dev/null 2>/dev/null")
    assert "Negotiated TLS1.3 group: X25519MLKEM768" in told


@pytest.mark.parametrize("spoken", ["h2", "http/1.1"])
def test_alpn_selects_http_2_where_the_client_offers_it(replica: ComposeStack, spoken: str) -> None:
    with connected(replica, protocols=["h2", "http/1.1"] if spoken == "h2" else [spoken]) as proxy:
        assert proxy.selected_alpn_protocol() == spoken


@pytest.mark.parametrize("path", ["/ping", "/nothing"])
def test_every_response_has_strict_transport_security(caller: httpx.Client, path: str) -> None:
    assert caller.get(path).headers["strict-transport-security"] == "max-age=63072000"


@pytest.fixture(scope="module")
def sslyze(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages that sslyze needs, beside ours: see pyproject.toml."""
    folder = tmp_path_factory.mktemp("sslyze")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    pins = ["--no-deps", "--require-hashes", "--requirement", str(ROOT / "requirements/audit.txt")]
    subprocess.run([*pip, *pins, "--target", str(folder)], check=True)
    return folder


def objections(sslyze: Path, replica: ComposeStack, to: str) -> list[str]:
    """Return what keeps the reverse proxy from complying with one of Mozilla's lists."""
    ca = f"--certinfo_ca_file={replica.settings.erp.ca}"
    proxy = f"localhost:{replica.project.https_port}"
    command = [sys.executable, "-m", "sslyze", f"--mozilla_config={to}", ca, proxy]
    environment = os.environ | {"PYTHONPATH": str(sslyze)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    _, checked, reasons = done.stdout.partition(f'Mozilla\'s "{to}" configuration')
    assert checked, done.stdout + done.stderr
    found = re.findall(r"^ +\* (\w+): ", reasons, re.MULTILINE)
    assert ("OK - Compliant" in reasons) == (not found), reasons
    return found


def test_sslyze_objects_to_nothing(sslyze: Path, replica: ComposeStack) -> None:
    assert objections(sslyze, replica, to="intermediate") == []
    assert objections(sslyze, replica, to="modern") == []


# ---- one request --------------------------------------------------------------------------------


def test_valid_request_id_is_returned(caller: httpx.Client) -> None:
    answer = caller.get("/ping", headers={"x-request-id": "order-4711.a_B"})
    assert answer.headers["x-request-id"] == "order-4711.a_B"


@pytest.mark.parametrize("harmful", ["short", 'quote","status":200', "long" * 17, "space inside"])
def test_invalid_request_id_is_replaced(caller: httpx.Client, harmful: str) -> None:
    answer = caller.get("/ping", headers={"x-request-id": harmful})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


def test_body_over_ten_megabytes_gets_413(caller: httpx.Client) -> None:
    taken = caller.post("/invocations", content=request_body(TEN_MB), headers=JSON)
    assert taken.status_code == 200
    refused = caller.post("/invocations", content=request_body(TEN_MB + 1), headers=JSON)
    assert error_of(refused) == (413, "BAD_REQUEST")
    assert "the body is larger than 10 MB" in refused.json()["message"]  # not serving's words


def test_chunked_body_over_ten_megabytes_gets_413(caller: httpx.Client) -> None:
    body = request_body(TEN_MB + 1)
    pieces = (body[start : start + 2**20] for start in range(0, len(body), 2**20))
    refused = caller.post("/invocations", content=pieces, headers=JSON)
    assert error_of(refused) == (413, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("request_line", "status", "code"),
    [
        (b"GET", 400, "BAD_REQUEST"),
        (b"\x01nothing that is known", 400, "BAD_REQUEST"),
        (b"CONNECT elsewhere:443 HTTP/1.1", 400, "BAD_REQUEST"),
        (b"GET /ping HTTP/3.7", 505, "BAD_REQUEST"),
        (b"POST /invocations HTTP/1.1\r\nhost: a\r\ntransfer-encoding: x", 501, "NOT_IMPLEMENTED"),
        (b"POST /invocations HTTP/1.1\r\nhost: a\r\ncontent-length: x", 400, "BAD_REQUEST"),
    ],
    ids=["no-path", "no-method", "connect", "version", "transfer-encoding", "content-length"],
)
def test_malformed_request_gets_an_error_of_the_same_form(
    replica: ComposeStack, request_line: bytes, status: int, code: str
) -> None:
    with connected(replica) as proxy:
        proxy.sendall(request_line + b"\r\nconnection: close\r\n\r\n")
        head, _, body = b"".join(iter(lambda: proxy.recv(65536), b"")).partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert b"content-type: application/json" in head.lower()
    assert json.loads(body)["error_code"] == code


def test_large_body_has_a_deadline_as_a_whole(replica: ComposeStack) -> None:
    """It arrives a piece a second: never is there a pause that nginx would not wait for."""
    (key,) = authorization(connection_of(replica.settings.erp)).values()
    head = f"POST /invocations HTTP/1.1\r\nhost: localhost\r\nauthorization: {key}\r\n"
    with connected(replica) as proxy:
        proxy.sendall(f"{head}content-type: application/json\r\n".encode())
        proxy.sendall(b"content-length: 1000000\r\n\r\n")
        proxy.settimeout(1)
        for _ in range(60):
            proxy.sendall(b" " * 1000)
            with suppress(TimeoutError):
                assert proxy.recv(12) == b"HTTP/1.1 408"
                break
        else:
            pytest.fail("a body is read for longer than a minute")


@pytest.mark.parametrize(
    "path", ["/nothing", "/invocations/", "/metrics", "/stub_status", "/ping/../x"]
)
def test_other_paths_get_404(caller: httpx.Client, path: str) -> None:
    assert error_of(caller.get(path)) == (404, "ENDPOINT_NOT_FOUND")


def test_plain_http_gets_400_that_names_tls(replica: ComposeStack) -> None:
    plain = httpx.get(f"http://localhost:{replica.project.https_port}/ping")
    assert error_of(plain) == (400, "BAD_REQUEST")
    assert "TLS" in plain.json()["message"]


def test_server_header_has_no_version(caller: httpx.Client) -> None:
    assert {caller.get(path).headers["server"] for path in ("/ping", "/nothing")} == {"nginx"}


def test_slow_request_is_disconnected(replica: ComposeStack) -> None:
    start = b"POST /invocations HTTP/1.1\r\nhost: localhost\r\n"
    with connected(replica) as in_headers, connected(replica) as in_body:
        in_headers.sendall(start)
        in_body.sendall(start + b"content-length: 100\r\n\r\n{")
        assert in_headers.recv(1) == b""  # a connection that stays open times out here
        assert in_body.recv(1) == b""


# ---- what the operator sees ---------------------------------------------------------------------


def test_request_is_logged_as_json_without_customer_data(
    replica: ComposeStack, caller: httpx.Client
) -> None:
    sent = {"x-request-id": "looked-for-in-the-log", **JSON}
    body = request_body().replace(b"{", b'{"params": {"by": "Rosalind"}, ', 1)
    caller.post("/invocations?name=Gertrude", content=body, headers=sent)

    def lines() -> list[dict[str, Any]]:
        found = re.findall(rf"{{.*{sent['x-request-id']}.*", replica.log("proxy"))
        return [json.loads(line) for line in found]

    replica.wait_until(lambda: bool(lines()))
    (line,) = lines()
    assert (line["method"], line["path"], line["tls"]) == ("POST", "/invocations", "TLSv1.3")
    assert line["bytes_in"] > len(body)
    assert line["upstream_status"] == str(line["status"])
    # nginx takes the two times from clocks that it reads apart: they may differ by a millisecond.
    assert 0 < float(line["upstream_seconds"]) <= line["seconds"] + 0.002
    assert not re.search("Gertrude|Rosalind|inputs", replica.log("proxy"))


def test_error_log_has_no_query_of_a_body_that_memory_does_not_hold_or_of_a_dead_upstream(
    replica: ComposeStack, caller: httpx.Client
) -> None:
    large = request_body(size=1_000_000)
    caller.post("/invocations?name=Gertrude", content=large, headers=JSON)
    replica.stop("serving")
    try:
        caller.post("/invocations?name=Gertrude", content=request_body(), headers=JSON)
        replica.wait_until(lambda: "client: " in replica.log("proxy"), "proxy")
        assert "Gertrude" not in replica.log("proxy")
    finally:
        replica.start("serving")


@pytest.mark.parametrize("path", [b"/v2/\xff\xe9", b"/v2/%ff%0a", b"/v2/%22", "/v2/ž".encode()])
def test_every_line_of_the_access_log_is_json(replica: ComposeStack, path: bytes) -> None:
    sent = f"looked-for-{path.hex()}"
    with connected(replica) as proxy:
        proxy.sendall(b"GET %s HTTP/1.0\r\nx-request-id: %s\r\n\r\n" % (path, sent.encode()))
        proxy.recv(1)

    def lines() -> list[str]:
        return re.findall(rf"{{.*{sent}.*", replica.log("proxy"))

    replica.wait_until(lambda: bool(lines()), "proxy")
    (line,) = lines()
    assert (
        "\N{REPLACEMENT CHARACTER}" not in line
    )  # what the engine makes of bytes that are no UTF-8
    assert json.loads(line)["method"] == "GET"


def test_health_check_is_not_logged(replica: ComposeStack) -> None:
    assert replica.project.inspect("proxy")["State"]["Health"]["Log"]
    assert not re.search('"path":"/ping".*"status":200', replica.log("proxy"))


def test_stub_status_is_reachable_from_inside_only(replica: ComposeStack) -> None:
    asked = r"""exec 3<>/dev/tcp/127.0.0.1/8080
        printf 'GET /stub_status HTTP/1.0\r\n\r\n' >&3 && cat <&3"""
    assert "Active connections: " in inside(replica, asked)

    reached = "for port in 8443 8080; do (: </dev/tcp/proxy/$port) 2>/dev/null && echo $port; done"
    assert inside(replica, f"{reached}; true", service="serving").split() == ["8443"]


# ---- the way to serving -------------------------------------------------------------------------


def test_upstream_connections_are_kept_alive(replica: ComposeStack) -> None:
    before = connections_accepted_by_serving(replica)
    for _ in range(50):
        with calling(replica) as caller:
            assert ask(caller).status_code == 200
    # Each of nginx's workers may need one, and serving's health check opens one now and then.
    assert connections_accepted_by_serving(replica) - before < 25


def connections_accepted_by_serving(replica: ComposeStack) -> int:
    names, numbers = inside(replica, "grep ^Tcp: /proc/net/snmp", service="serving").splitlines()
    return int(dict(zip(names.split(), numbers.split(), strict=True))["PassiveOpens"])


def address(replica: ComposeStack, service: str) -> str:
    """Return a container's address between the reverse proxy and serving."""
    networks = replica.project.inspect(service)["NetworkSettings"]["Networks"]
    return str(networks[f"{replica.project.name}_serving-proxy"]["IPAddress"])


def test_upstream_with_a_certificate_of_another_ca_gets_502(
    replica: ComposeStack, tmp_path: Path
) -> None:
    def answers(*wanted: object) -> bool:
        """Ask on a new connection: the health check has the other CA, too, and ends nginx."""
        try:
            with calling(replica) as caller:
                answer = ask(caller)
        except httpx.TransportError:
            return False
        return (answer.status_code, answer.json().get("error_code")) == wanted

    trusted = replica.root / "certs/proxy/ca.crt"
    ours = trusted.read_bytes()
    ensure_certificates(tmp_path, tmp_path, [Service("another", ("serving",))])
    try:
        trusted.write_bytes((tmp_path / "ca.crt").read_bytes())
        reload(replica)
        replica.wait_until(lambda: answers(502, "TEMPORARILY_UNAVAILABLE"))
    finally:
        trusted.write_bytes(ours)
        reload(replica)
    replica.wait_until(lambda: answers(200, None))


def test_stopped_serving_gets_502_and_is_found_at_its_new_address(
    replica: ComposeStack, caller: httpx.Client
) -> None:
    before = address(replica, "serving")
    replica.stop("serving")
    answer = ask(caller)
    assert error_of(answer) == (502, "TEMPORARILY_UNAVAILABLE")
    assert answer.headers["retry-after"] == "2"

    with somebody_at(replica, before):
        replica.start("serving")
        assert address(replica, "serving") != before
        assert ask(caller).status_code == 200


@contextmanager
def somebody_at(replica: ComposeStack, wanted: str) -> Iterator[None]:
    """Run other containers between the reverse proxy and serving, until one has this address."""
    network = f"--network={replica.project.name}_serving-proxy"
    image = str(replica.project.inspect("proxy")["Image"])
    run = ("run", "--detach", "--rm", network, "--entrypoint=sleep", image, "600")
    found = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    names: list[str] = []
    try:
        while not names or docker("inspect", "--format", found, names[-1]).strip() != wanted:
            assert len(names) < 10, f"nobody gets {wanted}"
            names.append(docker(*run).strip())
        yield
    finally:
        docker("kill", *names)


# ---- a reload -----------------------------------------------------------------------------------


def reload(replica: ComposeStack) -> None:
    replica.project.compose("exec", "-T", "proxy", "nginx", "-s", "reload")


@dataclass
class Asking:
    """Requests in a loop beside the test, until it is left; `lost` is what went wrong."""

    once: Callable[[], object]
    answered: int = 0
    lost: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._enough = Event()
        self._thread = Thread(target=self._ask)

    def __enter__(self) -> "Asking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._enough.is_set():
            try:
                self.once()
                self.answered += 1
            except Exception as error:
                self.lost.append(error)


def test_erp_client_loses_no_request_over_reloads(replica: ComposeStack) -> None:
    rows = holdout_rows(1)
    with replica.labels() as labels, Asking(lambda: labels.predict(rows)) as asking:
        for _ in range(8):
            reload(replica)
    assert asking.lost == []
    assert asking.answered > 8


def test_http_2_loses_no_request_over_reloads(replica: ComposeStack) -> None:
    with curl(replica, "--http2", times=300) as asking:
        reloads = 0
        while asking.poll() is None:
            reload(replica)
            reloads += 1
        answers, _ = asking.communicate()
    assert answers.split() == ["200/2"] * 300
    assert reloads > 2


@contextmanager
def curl(replica: ComposeStack, *options: str, times: int) -> Iterator["subprocess.Popen[str]"]:
    """Run a curl 8 that asks so many times, and prints status/version of each answer.

    Older ones fail where HTTP/2's GOAWAY tells them to ask again: see decision 0009.
    """
    run = [
        "docker",
        "run",
        "--rm",
        f"--network={replica.project.name}_proxy-closed",
        "--entrypoint=curl",
    ]
    ca = f"--volume={replica.settings.erp.ca}:/ca.crt:ro"
    image = str(replica.project.inspect("object-store")["Image"])
    headers = JSON | authorization(connection_of(replica.settings.erp))
    sent = [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
    sent += ["--data-binary", request_body().decode()]
    shown = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}/%{http_version} "]
    asked = ["--cacert", "/ca.crt", *sent, f"https://proxy:8443/invocations?[1-{times}]"]
    command = [*run, ca, image, *options, *shown, *asked]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process


def test_request_half_sent_at_a_reload_is_answered(replica: ComposeStack) -> None:
    body = request_body()
    (key,) = authorization(connection_of(replica.settings.erp)).values()
    head = f"POST /invocations HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n"
    head += f"authorization: {key}\r\n"
    with connected(replica) as connection:
        connection.sendall(f"{head}content-type: application/json\r\n\r\n".encode() + body[:9])
        reload(replica)
        replica.wait_until(lambda: "shutting down" in inside(replica, "cat /proc/*/cmdline"))
        connection.sendall(body[9:])
        assert connection.recv(12) == b"HTTP/1.1 200"


# ---- settings -----------------------------------------------------------------------------------


@pytest.fixture(scope="class")
def changed(replica: ComposeStack) -> Iterator[ComposeStack]:
    """The replica with all settings of its reverse proxy changed.

    The health check of this machine's port asks from the same address, one in four seconds.
    """
    replica.write_env(TERNA_PROXY_TLS="intermediate", TERNA_PROXY_RATE="5", TERNA_PROXY_BURST="1")
    replica.project.up("--no-deps", "proxy")
    yield replica
    replica.write_env()
    replica.project.up("--no-deps", "proxy")


class TestChangedSettings:
    """The reverse proxy with all of its settings changed, until the last of these tests."""

    @pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
    def test_tls_setting_intermediate_accepts_tls_1_2(
        self, changed: ComposeStack, version: str
    ) -> None:
        at_most = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}[version]
        with connected(changed, at_most) as connection:
            assert connection.version() == version

    def test_tls_setting_intermediate_complies_with_mozillas_list(
        self, sslyze: Path, changed: ComposeStack
    ) -> None:
        assert objections(sslyze, changed, to="intermediate") == []

    def test_client_over_the_rate_gets_429_and_is_accepted_after_retry_after(
        self, changed: ComposeStack
    ) -> None:
        with calling(changed) as caller:
            while (answer := caller.get("/ping")).status_code == 200:
                pass
            assert error_of(answer) == (429, "REQUEST_LIMIT_EXCEEDED")
            time.sleep(int(answer.headers["retry-after"]))
            assert caller.get("/ping").status_code == 200

    def test_client_over_the_rate_does_not_block_others(self, changed: ComposeStack) -> None:
        another = r"""printf 'GET /ping HTTP/1.0\r\n\r\n' |
            openssl s_client -quiet -connect proxy:8443 2>/dev/null"""
        with calling(changed) as caller:
            while caller.get("/ping").status_code != 429:
                pass
            assert inside(changed, another, "ready").startswith("HTTP/1.1 200")

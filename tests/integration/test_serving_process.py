"""The serving server as a process: its port, its signals, its workers."""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPResponse
from pathlib import Path

import httpx
import psutil
import pytest

from terna.erp.client import Client
from terna.erp.connection import authorization, tls_context
from terna.erp.from_settings import connection_of
from terna.errors import TernaError
from terna.local.servers import LocalServers, ensure_local_secrets, local_settings
from terna.ports import check_free
from terna.processes import Process, terna_command
from terna.security.renewal import expiry
from terna.settings import Settings
from tests.clients import client_of
from tests.load import load
from tests.ports import settings_on_free_ports
from tests.running import running, running_with_a_model, wait_until
from tests.unit.workshop import NAME, Workshop, opened


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[LocalServers]:
    """Serving alone: there is no tracking server, and no model."""
    settings = local_settings(tmp_path, settings_on_free_ports())
    ensure_local_secrets(settings, tmp_path)
    with running("serving", tmp_path, settings) as replica:
        yield replica


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return opened(tmp_path_factory.mktemp("workshop"))


@pytest.fixture
def labelling(tmp_path: Path, workshop: Workshop) -> Iterator[LocalServers]:
    """Serving alone, with two workers and a compiled model that it finds in its model cache."""
    with running_with_a_model(tmp_path, workshop, workers=2) as replica:
        yield replica


@contextmanager
def connected(replica: LocalServers) -> Iterator[ssl.SSLSocket]:
    trusting = tls_context(connection_of(replica.settings.erp))
    port = replica.settings.serving.port
    with (
        socket.create_connection(("localhost", port), 30) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        yield connection


def post(replica: LocalServers, body: bytes) -> bytes:
    """A request that keeps its connection."""
    (key,) = authorization(connection_of(replica.settings.erp)).values()
    head = "POST /invocations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    head += f"authorization: {key}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def answered(connection: ssl.SSLSocket) -> tuple[int, bytes]:
    response = HTTPResponse(connection)
    response.begin()
    return response.status, response.read()


def workers(replica: LocalServers) -> list[psutil.Process]:
    """The processes that `terna serve` started to answer with this replica's keys."""
    return [
        process for process in processes_of(replica.settings) if "spawn_main" in cmdline(process)
    ]


def cmdline(process: psutil.Process) -> str:
    """Empty if it has ended."""
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def processes_of(settings: Settings) -> list[psutil.Process]:
    """Every process that was started with these keys, but for zombies."""
    key = str(settings.serving.key)
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("TERNA_SERVING_KEY") == key:
                found.append(process)
    return found


def test_serving_answers_without_a_tracking_server_that_it_has_no_model(
    serving: LocalServers,
) -> None:
    with Client(connection_of(serving.settings.erp)) as labels:
        assert labels.version() is None


def test_body_larger_than_announced_is_cut_at_the_limit(
    serving: LocalServers,
) -> None:
    erp = serving.settings.erp
    limit = serving.settings.serving.max_body_bytes
    port = serving.settings.serving.port
    (key,) = authorization(connection_of(erp)).values()
    trusting = tls_context(connection_of(erp))
    with (
        socket.create_connection(("localhost", port), 10) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        head = (
            "POST /invocations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            f"authorization: {key}\r\n"
        ).encode()
        connection.sendall(head + b"content-length: 2\r\nconnection: close\r\n\r\n{}" + b" " * 1000)
        assert b" 503 " in connection.recv(4096).partition(b"\r\n")[0]
    with client_of(erp) as client:
        for content in (b" " * (limit + 1), iter([b" " * (limit + 1)])):
            assert client.post(erp.endpoint, content=content).status_code == 413


def test_killed_worker_is_replaced(serving: LocalServers) -> None:
    (worker,) = workers(serving)
    worker.kill()
    worker.wait(10)
    serving.wait("serving")
    (successor,) = workers(serving)
    assert successor != worker


def test_worker_that_dies_again_and_again_does_not_end_the_server(serving: LocalServers) -> None:
    for _ in range(4):  # within seconds of each other
        wait_until(lambda: len(workers(serving)) == 1)
        (worker,) = workers(serving)
        worker.kill()
        worker.wait(10)
    serving.wait("serving")
    assert len(workers(serving)) == 1


def test_worker_that_hangs_is_replaced(serving: LocalServers) -> None:
    (worker,) = workers(serving)
    worker.suspend()
    wait_until(lambda: worker not in workers(serving))
    serving.wait("serving")
    assert len(workers(serving)) == 1


@pytest.mark.parametrize("seconds", [0.5, 1.5, 3, 6])
def test_nothing_is_left_of_a_server_that_is_killed_after(tmp_path: Path, seconds: float) -> None:
    settings = local_settings(tmp_path, settings_on_free_ports())
    ensure_local_secrets(settings, tmp_path)
    server = Process(
        "serving", settings.environment(), tmp_path / "serving.log", terna_command("serve")
    )
    try:
        time.sleep(seconds)
        os.kill(server.group, signal.SIGKILL)
        wait_until(lambda: processes_of(settings) == [])
        check_free(settings.serving.host, settings.serving.port)
    finally:
        server.stop()


def test_taken_port_ends_the_start_with_a_line_in_the_log(
    serving: LocalServers, tmp_path: Path
) -> None:
    log = tmp_path / "second.log"
    second = Process("serving", serving.settings.environment(), log, terna_command("serve"))
    with pytest.raises(TernaError, match="ended while starting"):
        second.wait_until(lambda: False)
    said = log.read_text()
    assert f"Port {serving.settings.serving.port} on 127.0.0.1 is taken" in said
    assert "Traceback" not in said


def test_request_begun_before_the_stop_is_answered(
    labelling: LocalServers, workshop: Workshop
) -> None:
    request = post(labelling, json.dumps({"inputs": workshop.rows()[:1]}).encode())
    with connected(labelling) as begun, connected(labelling) as idle:
        begun.sendall(request[:-20])
        idle.sendall(request)
        assert answered(idle)[0] == 200
        wait_until(lambda: in_flight(labelling) == 2)
        (server,) = {worker.parent() for worker in workers(labelling)}
        assert server
        server.terminate()
        wait_until(lambda: not takes_connections(labelling))
        begun.sendall(request[-20:])
        status, body = answered(begun)
        assert server.wait(20) == 0
    assert (status, list(json.loads(body))) == (200, ["predictions"])


def in_flight(replica: LocalServers) -> float:
    """The question itself included."""
    url = replica.settings.erp.endpoint.replace("invocations", "metrics")
    with metrics_client(replica) as client:
        return value(client.get(url).text, "terna_requests_in_flight")


def takes_connections(replica: LocalServers) -> bool:
    try:
        socket.create_connection(("localhost", replica.settings.serving.port), 5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_while_one_worker_is_killed_the_other_answers(
    labelling: LocalServers, workshop: Workshop
) -> None:
    wait_until(lambda: all(map(listens, workers(labelling))))  # each has a socket of its own
    killed, other = workers(labelling)
    killed.kill()
    killed.wait(10)
    with client_of(labelling.settings.erp) as client:
        for _ in range(20):
            answer = client.post(
                labelling.settings.erp.endpoint, json={"inputs": workshop.rows()[:1]}
            )
            assert answer.status_code == 200
    wait_until(lambda: len(workers(labelling)) == 2)
    assert other in workers(labelling)


def test_workers_that_are_killed_together_are_both_replaced(labelling: LocalServers) -> None:
    wait_until(lambda: all(map(listens, workers(labelling))))
    killed = workers(labelling)
    for _ in range(2):
        dying = workers(labelling)
        for worker in dying:
            worker.kill()
        psutil.wait_procs(dying, 10)
        wait_until(lambda: len(workers(labelling)) == 2 and all(map(listens, workers(labelling))))
    assert not set(killed) & set(workers(labelling))
    pids = {worker.pid for worker in workers(labelling)}
    (server,) = {worker.parent() for worker in workers(labelling)}
    assert server
    server.terminate()
    assert server.wait(20) == 0
    assert not any(map(psutil.pid_exists, pids))


def test_children_of_a_worker_inherit_no_setting_and_no_password(labelling: LocalServers) -> None:
    wait_until(lambda: len(pool_processes(labelling)) >= 2 * len(workers(labelling)), seconds=60)
    inherited = {name for process in pool_processes(labelling) for name in process.environ()}
    assert "PATH" in inherited
    assert not {name for name in inherited if name.startswith(("TERNA_", "MLFLOW_TRACKING_"))}


def pool_processes(replica: LocalServers) -> list[psutil.Process]:
    """The process of each worker that children are forked from, and the children."""
    return [
        process
        for worker in workers(replica)
        for process in worker.children(recursive=True)
        if "forkserver" in cmdline(process)
    ]


def listens(worker: psutil.Process) -> bool:
    """Not one that has just ended."""
    with suppress(psutil.NoSuchProcess):
        return any(socket.status == psutil.CONN_LISTEN for socket in worker.net_connections())
    return False


def metrics_client(replica: LocalServers) -> httpx.Client:
    key = replica.settings.erp.api_key_file.with_name("monitoring")
    return client_of(replica.settings.erp.model_copy(update={"api_key_file": key}))


def test_whichever_worker_is_asked_the_metrics_are_those_of_all(
    labelling: LocalServers, workshop: Workshop
) -> None:
    url = labelling.settings.erp.endpoint
    for count in range(1, 11):
        with client_of(labelling.settings.erp) as client:  # each on a connection of its own
            client.post(url, json={"inputs": workshop.rows()[:count]}).raise_for_status()
    time.sleep(1)  # longer than counts wait to be handed on
    for _ in range(6):
        with metrics_client(labelling) as client:
            page = client.get(url.replace("invocations", "metrics")).text
        assert value(page, 'terna_requests_total{route="/invocations",status="200"}') == 10
        assert value(page, "terna_request_rows_sum") == sum(range(1, 11))
        assert value(page, 'terna_model_info{backend="compiled",name="churn",version="1"}') == 1


def test_killed_workers_and_agents_are_counted_as_restarts(labelling: LocalServers) -> None:
    (server,) = {worker.parent() for worker in workers(labelling)}
    assert server
    workers(labelling)[0].kill()
    wait_until(lambda: restarts(labelling) == (1, 0))
    agents(server)[0].kill()
    wait_until(lambda: restarts(labelling) == (1, 1))
    assert len(agents(server)) == 1


def agents(server: psutil.Process) -> list[psutil.Process]:
    return [child for child in server.children() if cmdline(child).endswith(" agent")]


def restarts(replica: LocalServers) -> tuple[float, float]:
    """Of workers and of agents, as a worker tells."""
    url = replica.settings.erp.endpoint.replace("invocations", "metrics")
    page = ""
    with metrics_client(replica) as client, suppress(httpx.TransportError):
        page = client.get(url).text  # a killed worker may still be the one that is asked
    worker, agent = (f'terna_restarts_total{{process="{name}"}}' for name in ("worker", "agent"))
    return value(page, worker), value(page, agent)


def value(page: str, sample: str) -> float:
    found = re.search(rf"^{re.escape(sample)} (\S+)$", page, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_every_line_of_the_log_is_json_without_the_customers(
    labelling: LocalServers, tmp_path: Path
) -> None:
    customer = [117.25, "a plan of her own", 3, True]
    with client_of(labelling.settings.erp) as client:
        headers = {"x-request-id": "order-4711"}
        client.post(labelling.settings.erp.endpoint, json={"inputs": [customer]}, headers=headers)
    labelling.stop("serving")

    text = (tmp_path / ".terna/logs/serving.log").read_text()

    lines = [json.loads(line) for line in text.splitlines()]
    (asked,) = [line for line in lines if line.get("request_id") == "order-4711"]
    assert (asked["status"], asked["model"], asked["version"], asked["rows"]) == (200, NAME, 1, 1)
    assert "117.25" not in text
    assert "a plan" not in text


def test_renewed_certificate_is_served_by_new_workers_and_no_request_is_lost(
    labelling: LocalServers, workshop: Workshop, tmp_path: Path
) -> None:
    wait_until(lambda: all(map(listens, workers(labelling))))
    before, serial = workers(labelling), serial_number(labelling)
    with connected(labelling) as begun, load(labelling.settings.erp, workshop.rows()[0]) as asked:
        request = post(labelling, json.dumps({"inputs": workshop.rows()[:1]}).encode())
        begun.sendall(request[:-20])
        labelling.settings.serving.certificate.unlink()
        ensure_local_secrets(labelling.settings, tmp_path)
        wait_until(lambda: serial_number(labelling) != serial)
        wait_until(lambda: not all(map(listens, before)))
        begun.sendall(request[-20:])
        assert answered(begun)[0] == 200
        wait_until(lambda: "all workers are new ones" in log(tmp_path), 60)
    wait_until(lambda: not any(worker.is_running() for worker in before))
    assert len(workers(labelling)) == 2
    assert asked.failed == []
    assert asked.answered > 0
    expires = certificate_expiry(labelling)
    assert expires == expiry(labelling.settings.serving.certificate).timestamp()


def test_certificate_that_does_not_fit_its_key_replaces_no_worker(
    labelling: LocalServers, tmp_path: Path
) -> None:
    before, serial = workers(labelling), serial_number(labelling)
    serving = labelling.settings.serving
    shutil.copy(labelling.settings.erp.certificate, serving.certificate)
    wait_until(lambda: "is not used" in log(tmp_path))
    assert (serial_number(labelling), workers(labelling)) == (serial, before)


def serial_number(replica: LocalServers) -> str:
    """Of the certificate that a new connection gets."""
    with connected(replica) as connection:
        return str((connection.getpeercert() or {})["serialNumber"])


def certificate_expiry(replica: LocalServers) -> float:
    url = replica.settings.erp.endpoint.replace("invocations", "metrics")
    with metrics_client(replica) as client:
        page = client.get(url).text
    return value(page, 'terna_certificate_expiry_timestamp_seconds{server="serving"}')


def log(root: Path) -> str:
    return (root / ".terna/logs/serving.log").read_text()

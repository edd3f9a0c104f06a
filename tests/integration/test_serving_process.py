"""The serving server as a process: its port, its signals, its workers."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from terna.contracts.errors import TernaError
from terna.embedded.processes import Process
from terna.embedded.replica import Replica, local_settings, make_missing_keys
from terna.erp.labels import Labels
from terna.progress import Silent
from tests.ports import settings_on_free_ports


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Replica]:
    """Serving alone: there is no tracking server, and no model."""
    settings = local_settings(tmp_path, settings_on_free_ports())
    make_missing_keys(settings, tmp_path)
    replica = Replica(tmp_path, settings, Silent())
    try:
        replica.start("serving")
        replica.wait("serving")
        yield replica
    finally:
        replica.close()


def workers(folder: Path) -> list[psutil.Process]:
    """The processes that `terna serving` started to answer with this folder's keys."""
    key = str(folder / "secrets/serving/tls.key")
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if "spawn_main" in " ".join(process.cmdline())
        and process.environ()["TERNA_SERVING_KEY"] == key
    ]


def test_serving_answers_without_a_tracking_server_that_it_has_no_model(serving: Replica) -> None:
    with Labels(serving.settings.erp) as labels:
        assert labels.version() is None


def test_a_body_that_is_larger_than_it_says_is_no_way_around_the_limit(serving: Replica) -> None:
    erp, limit = serving.settings.erp, serving.settings.serving.max_body
    port = serving.settings.serving.port
    trusting = ssl.create_default_context(cafile=str(erp.ca))
    with (
        socket.create_connection(("localhost", port), 10) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        head = (
            b"POST /invocations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        )
        connection.sendall(head + b"content-length: 2\r\nconnection: close\r\n\r\n{}" + b" " * 1000)
        assert b" 503 " in connection.recv(4096).partition(b"\r\n")[0]
    with httpx.Client(verify=trusting) as client:
        for content in (b" " * (limit + 1), iter([b" " * (limit + 1)])):
            assert client.post(erp.endpoint, content=content).status_code == 413


def test_a_killed_worker_is_replaced(serving: Replica, tmp_path: Path) -> None:
    (worker,) = workers(tmp_path)
    worker.kill()
    worker.wait(10)
    serving.wait("serving")
    (successor,) = workers(tmp_path)
    assert successor != worker


def test_a_taken_port_ends_the_start_with_a_line_in_the_log(
    serving: Replica, tmp_path: Path
) -> None:
    log = tmp_path / "second.log"
    second = Process("serving", serving.settings.environment(), log)
    with pytest.raises(TernaError, match="ended while starting"):
        second.wait_until(lambda: False)
    said = log.read_text()
    assert f"Port {serving.settings.serving.port} on 127.0.0.1 is taken" in said
    assert "Traceback" not in said

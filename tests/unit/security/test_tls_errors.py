"""Every client says so when a certificate has expired or a clock is wrong: over real TLS."""

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy

from terna.erp.client import Client, Connection
from terna.errors import OptunaStorageUnreachable, ServingUnreachable, TrackingUnreachable
from terna.registry.client import connect
from terna.registry.registry import MLflowRegistry
from terna.security import ca
from terna.security.ca import Service, ensure_certificates
from terna.security.tls_errors import explain
from terna.settings import Tracking
from terna.training.tune import translate_storage_errors

EXPIRED = "ertificate has expired, or "
STARTS_AND_ENDS = {EXPIRED: (-5, -1), "is not valid yet, so this machine's clock is wrong": (2, 9)}
"""Days from now, by what is said of such a certificate."""


@pytest.fixture(params=STARTS_AND_ENDS)
def said(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root(tmp_path: Path, said: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Certificates of servers and clients that are valid at another time than now."""
    ensure_certificates(tmp_path, tmp_path, [])
    make_valid(tmp_path, monkeypatch, *STARTS_AND_ENDS[said])
    return tmp_path


def make_valid(root: Path, monkeypatch: pytest.MonkeyPatch, start: int, end: int) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(ca, "CLOCK_SKEW", timedelta(days=-start))
        patched.setattr(ca, "LEAF_VALIDITY", timedelta(days=end - start))
        ensure_certificates(root, root, [Service("it", ("localhost",), is_client=True)])


@contextmanager
def listening(root: Path, *, asks_clients: bool = False, greeting: bytes = b"") -> Iterator[int]:
    """A TLS server with that certificate, which answers nothing; yields its port.

    Args:
        greeting: what it sends before TLS, when a client has said something: Postgres' "S".
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(root / "it/tls.crt", root / "it/tls.key")
    if asks_clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(root / "ca.crt")

    def answer() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.settimeout(10)
                    if greeting:
                        connection.recv(8)
                        connection.sendall(greeting)
                    context.wrap_socket(connection, server_side=True).recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=answer, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def connection(root: Path, port: int) -> Connection:
    (root / "key").write_text("erp.key")
    return Connection(
        endpoint=f"https://localhost:{port}/invocations",
        ca=root / "ca.crt",
        api_key_file=root / "key",
        certificate=root / "it/tls.crt",
        key=root / "it/tls.key",
    )


def test_client_of_serving_says_so(root: Path, said: str) -> None:
    with (
        listening(root) as port,
        Client(connection(root, port)) as client,
        pytest.raises(ServingUnreachable, match=f"{port}/invocations does not answer .*{said}"),
    ):
        client.predict([[1]])


def test_client_of_tracking_says_so(root: Path, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))  # MLflow's client is set up there
    with listening(root) as port:
        tracking = Tracking(uri=f"https://localhost:{port}", ca=root / "ca.crt")
        registry = MLflowRegistry(connect(tracking))
        with pytest.raises(TrackingUnreachable, match=f"{port} does not answer.*{said}"):
            registry.check()


def test_optunas_database_says_that_it_may_be_so(root: Path) -> None:
    """Which of the two it is, libpq does not tell."""
    with listening(root, greeting=b"S") as port:
        url = f"postgresql+psycopg://optuna:x@localhost:{port}/optuna"
        engine = sqlalchemy.create_engine(f"{url}?sslmode=verify-full&sslrootcert={root}/ca.crt")
        with (
            pytest.raises(OptunaStorageUnreachable, match=EXPIRED),
            translate_storage_errors(),
        ):
            engine.connect()


@pytest.mark.parametrize("said", [EXPIRED], indirect=True)
@pytest.mark.usefixtures("said")
def test_client_whose_own_certificate_has_expired_says_so(root: Path) -> None:
    server = root / "server"
    ensure_certificates(server, server, [Service("it", ("localhost",))])
    (server / "own-ca.crt").write_bytes((server / "ca.crt").read_bytes())
    (server / "ca.crt").write_bytes((root / "ca.crt").read_bytes())  # by which it knows clients
    with (
        listening(server, asks_clients=True) as port,
        Client(replace(connection(root, port), ca=server / "own-ca.crt")) as client,
        pytest.raises(ServingUnreachable, match="this client's own certificate has expired"),
    ):
        client.predict([[1]])


def test_other_errors_are_not_explained() -> None:
    assert explain(ssl.SSLCertVerificationError("certificate verify failed: unknown CA")) == ""
    assert explain(ConnectionRefusedError("refused")) == ""

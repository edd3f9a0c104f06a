"""Certificates are renewed and passwords rotated while everything runs, and no request notices."""

import json
import shlex
import socket
import ssl
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from terna.erp.client import Client
from terna.erp.connection import tls_context
from terna.erp.from_settings import connection_of
from terna.errors import ServingRefused, TernaError
from terna.registry.registry import MLflowRegistry
from tests.e2e.customers import holdout_rows
from tests.e2e.stacks.compose import ComposeStack
from tests.load import load

pytestmark = pytest.mark.only_on("compose")

PORTS = {"tracking": 5000, "postgres": 5432, "object-store": 9000, "serving": 8124, "proxy": 8443}

SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""With which a client of Postgres begins: https://www.postgresql.org/docs/17/protocol-message-formats.html"""


RENEW_ALL = """
from datetime import timedelta
from pathlib import Path
from terna.security import ca, secrets
ca.RENEW_BEFORE = ca.LEAF_VALIDITY + timedelta(days=1)
secrets.ensure_all(Path("/certs"), Path("/secrets"))
"""
"""What `init-secrets` does, as if half of every certificate's life were over."""


def serial_number(replica: ComposeStack, server: str) -> str:
    """Of the certificate that a new connection gets; empty where none comes about."""
    address = ("localhost", replica.project.https_port)
    if server != "proxy":
        address = replica.address(server, PORTS[server])
    try:
        with socket.create_connection(address, timeout=10) as plain:
            if server == "postgres":
                plain.sendall(SSL_REQUEST)
                plain.recv(1)
            context = tls_context(connection_of(replica.settings.erp))
            with context.wrap_socket(plain, server_hostname="localhost") as connection:
                return str((connection.getpeercert() or {})["serialNumber"])
    except (ConnectionError, ssl.SSLEOFError):  # of a worker of serving that ends
        return ""


def serial_numbers(replica: ComposeStack) -> Mapping[str, str]:
    return {server: serial_number(replica, server) for server in PORTS}


def processes(replica: ComposeStack) -> Mapping[str, int]:
    return {server: replica.project.inspect(server)["State"]["Pid"] for server in PORTS}


def test_every_server_takes_its_renewed_certificate_while_labels_are_asked_for(
    replica: ComposeStack,
) -> None:
    before, running = serial_numbers(replica), processes(replica)
    with load(replica.settings.erp, holdout_rows(1)[0]) as asked:
        python = ("run", "--rm", "-T", "--no-deps", "--entrypoint", "python3", "init-secrets")
        replica.project.compose(*python, "-c", RENEW_ALL)
        replica.wait_until(
            lambda: all(
                new and new != before[name] for name, new in serial_numbers(replica).items()
            )
        )
        replica.wait_until(lambda: "all workers are new ones" in replica.log("serving"))
    assert asked.failed == []
    assert asked.answered > 0
    assert processes(replica) == running


def test_renewing_service_says_how_long_each_certificate_is_valid(replica: ComposeStack) -> None:
    replica.project.compose("restart", "renew")
    replica.wait_until(
        lambda: all(
            f"/certs/{server}/tls.crt is valid for 89 more days" in replica.log("renew")
            for server in PORTS
        ),
        "renew",
    )


# ---- passwords and keys -------------------------------------------------------------------------

CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('tracking', 'auth')
"""

LOG_IN = """
import sys, psycopg
try:
    psycopg.connect(sys.stdin.read().replace("+psycopg", "")).close()
    print("in")
except psycopg.OperationalError as error:
    print("authentication failed" in str(error))
"""


def rotate(replica: ComposeStack, name: str, *options: str) -> None:
    command = ("secrets", "rotate", name, *options)
    replica.project.compose("run", "--rm", "-T", "--no-deps", "init-secrets", *command)


def log_ins(replica: ComposeStack, who: str, outcome: str) -> int:
    """How often a login was used with a password that tracking did not remember."""
    read = ("exec", "-T", "audit", "sh", "-c", "cat /var/log/audit/*")
    events = [json.loads(line) for line in replica.project.compose(*read).splitlines()]
    wanted = {"who": who, "action": "log in", "outcome": outcome}
    return sum(wanted.items() <= ({"outcome": "ok"} | event).items() for event in events)


def test_rotated_api_key_and_login_are_used_while_labels_are_asked_for(
    replica: ComposeStack, tmp_path: Path
) -> None:
    key, known = replica.project.secret("api-keys/erp"), log_ins(replica, "serving", "ok")
    with load(replica.settings.erp, holdout_rows(1)[0]) as asked:
        rotate(replica, "tracking/logins/serving")
        rotate(replica, "api-keys/erp", "--overlap", "0")
        replica.wait_until(lambda: log_ins(replica, "serving", "ok") > known, "tracking")
        so_far = asked.answered
        replica.wait_until(lambda: asked.answered > so_far + 2)
    assert asked.failed == []
    assert replica.project.secret("api-keys/erp") != key
    old = tmp_path / "an-old-key"
    old.write_text(key)
    with (
        Client(replace(connection_of(replica.settings.erp), api_key_file=old)) as client,
        pytest.raises(ServingRefused),
    ):
        client.predict(holdout_rows(1))


def test_rotated_password_of_a_database_is_the_one_that_new_connections_use(
    replica: ComposeStack,
) -> None:
    url = "training/terna_training_optuna_storage"
    before, running = replica.project.secret(url), processes(replica)
    for name in ("tracking", "auth", "optuna"):
        rotate(replica, f"postgres/{name}.password")

    def logs_in(url: str) -> str:
        python = shlex.join(["python3", "-c", LOG_IN])
        return replica.ssh(f"printf %s {shlex.quote(url)} | {python}").stdout.strip()

    replica.wait_until(lambda: logs_in(before) == "True", "postgres")
    assert logs_in(replica.project.secret(url)) == "in"
    psql = ("psql", "--host", "/run/postgresql", "--command", CUT)
    replica.project.compose("exec", "-T", "postgres", *psql)
    replica.wait_for("tracking")
    assert processes(replica) == running


def test_rotated_password_of_the_object_store_takes_a_restart_of_it_alone(
    replica: ComposeStack, tmp_path: Path
) -> None:
    registry = MLflowRegistry(replica.registry())

    def downloads() -> bool:
        try:
            registry.download(registry.version("rfc_tune", 1), tmp_path)
        except TernaError:
            return False
        return True

    with load(replica.settings.erp, holdout_rows(1)[0]) as asked:
        rotate(replica, "object-store/password")
        replica.project.compose("restart", "object-store")
        replica.wait_until(downloads, "tracking")
    assert asked.failed == []
    replica.project.compose("run", "--rm", "-T", "--no-deps", "init-object-store")

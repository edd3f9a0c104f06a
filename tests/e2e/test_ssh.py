"""Server 1's sshd: who may log in, with what, and what for."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from terna.ports import free_port
from terna.security.people import NAME, RESERVED
from tests.e2e.stacks.compose import ComposeStack

pytestmark = pytest.mark.only_on("compose")

REFUSED = "Permission denied (publickey)"


@pytest.fixture(scope="module")
def replica(compose_stack: ComposeStack) -> Iterator[ComposeStack]:
    """The replica; sshd makes this machine wait after these tests, so wait for it."""
    yield compose_stack
    compose_stack.wait_for("training")


def new_key(replica: ComposeStack, *kind: str, authorized: bool = True) -> str:
    """Make a private key of the checkout's owner; `authorized`: added to the server's."""
    key = replica.root.parent / f"id_{''.join(kind).replace('-', '_')}_{uuid4().hex[:8]}"
    make = ["ssh-keygen", "-q", "-N", "", "-f", str(key), "-t", *kind]
    assert replica.project.checkout.run(make, {}).returncode == 0
    if authorized:
        public = key.with_suffix(".pub").read_text()
        with (replica.root / "secrets/training/people/analyst.pub").open("a") as keys:
            keys.write(public)
    return str(key)


# ---- who, and with what -------------------------------------------------------------------------


def test_analyst_logs_in_with_the_generated_key(replica: ComposeStack) -> None:
    assert replica.ssh("id -un").stdout == "analyst\n"


@pytest.mark.parametrize("user", ["root", "sshd", "nobody"])
def test_other_users_are_denied_with_it(replica: ComposeStack, user: str) -> None:
    assert REFUSED in replica.ssh("id", user=user).stderr


def test_password_is_denied(replica: ComposeStack) -> None:
    told = replica.ssh("id", "-o", "PubkeyAuthentication=no", "-o", "BatchMode=no")
    assert REFUSED in told.stderr


@pytest.mark.parametrize("kind", [("ed25519",), ("rsa", "-b", "3072")], ids=" ".join)
def test_added_key_is_accepted_from_the_next_login(
    replica: ComposeStack, kind: tuple[str, ...]
) -> None:
    assert replica.ssh("id -un", key=new_key(replica, *kind)).stdout == "analyst\n"


@pytest.mark.parametrize("kind", [("rsa", "-b", "2048"), ("ecdsa",)], ids=" ".join)
def test_weak_key_is_denied_even_if_it_is_added(
    replica: ComposeStack, kind: tuple[str, ...]
) -> None:
    assert REFUSED in replica.ssh("id", key=new_key(replica, *kind)).stderr


def test_unknown_key_is_denied(replica: ComposeStack) -> None:
    stranger = new_key(replica, "ed25519", authorized=False)
    assert REFUSED in replica.ssh("id", key=stranger).stderr


def test_host_key_is_kept_when_the_container_is_recreated(replica: ComposeStack) -> None:
    assert replica.ssh("true").returncode == 0  # from here on another host key is refused
    replica.project.compose("up", "--detach", "--no-deps", "--force-recreate", "training")
    replica.wait_for("training")


# ---- a person is an account ---------------------------------------------------------------------


def people(replica: ComposeStack, *arguments: str) -> str:
    """Type `terna people …` in the checkout."""
    command = [sys.executable, "-m", "terna", "people", *arguments]
    environment = os.environ | {"PYTHONPATH": str(replica.root)}
    return subprocess.run(
        command, cwd=replica.root, env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture
def anna(replica: ComposeStack) -> Iterator[str]:
    """The private key of a person who may log in."""
    key = new_key(replica, "ed25519", authorized=False)
    people(replica, "add", "anna", f"{key}.pub")
    replica.wait_until(lambda: replica.ssh("true", user="anna", key=key).returncode == 0)
    yield key
    if "anna" in people(replica, "list"):
        people(replica, "remove", "anna")


def test_added_person_has_a_home_that_nobody_else_reads_and_no_session_is_cut(
    replica: ComposeStack,
) -> None:
    command = ["ssh", *replica.login(), "-p", str(replica.project.ssh_port), "analyst@127.0.0.1"]
    with subprocess.Popen(
        [*command, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=replica.root
    ) as session:
        assert session.stdin
        assert session.stdout
        key = new_key(replica, "ed25519", authorized=False)
        people(replica, "add", "ben", f"{key}.pub")
        replica.wait_until(lambda: replica.ssh("true", user="ben", key=key).returncode == 0)
        assert replica.ssh("id -un; pwd", user="ben", key=key).stdout == "ben\n/home/ben\n"
        assert "denied" in replica.ssh("ls /home/analyst", user="ben", key=key).stderr
        assert REFUSED in replica.ssh("id", key=key).stderr  # as the analyst
        people(replica, "remove", "ben")
        session.stdin.write(b"still here\n")
        session.stdin.close()
        assert session.stdout.read() == b"still here\n"


def test_removed_person_is_refused_and_finds_everything_again_later(
    replica: ComposeStack, anna: str
) -> None:
    before = replica.ssh("echo mine > report; id -u", user="anna", key=anna).stdout
    people(replica, "remove", "anna")
    assert REFUSED in replica.ssh("id", user="anna", key=anna).stderr
    replica.project.compose("up", "--detach", "--no-deps", "--force-recreate", "training")
    replica.wait_for("training")
    assert REFUSED in replica.ssh("id", user="anna", key=anna).stderr
    people(replica, "add", "anna", f"{anna}.pub")
    replica.wait_until(lambda: replica.ssh("true", user="anna", key=anna).returncode == 0)
    assert replica.ssh("id -u; cat report", user="anna", key=anna).stdout == f"{before}mine\n"


def test_user_of_the_system_cannot_be_added_by_a_file(replica: ComposeStack, anna: str) -> None:
    public = Path(f"{anna}.pub").read_text()
    for name in ("root", "sshd", "training"):
        path = replica.root / f"secrets/training/people/{name}.pub"
        path.write_text(public)
        try:
            assert REFUSED in replica.ssh("id", user=name, key=anna).stderr
        finally:
            path.unlink()


def test_every_user_and_group_of_the_system_is_reserved(replica: ComposeStack) -> None:
    told = replica.ssh("cut -d: -f1 /etc/passwd /etc/group").stdout.split()
    assert "root" in told
    assert set(filter(NAME.fullmatch, told)) <= RESERVED


def test_session_has_the_secrets_of_its_person_and_no_others(
    replica: ComposeStack, anna: str
) -> None:
    find = "find /secrets /run/people -readable -type f -printf '%f\\n' 2>/dev/null"
    own = replica.ssh(find, user="anna", key=anna).stdout.split()
    assert sorted(own) == [
        "table.key",
        "terna_tracking_password",
        "terna_tracking_promoting_user",
        "terna_tracking_user",
        "terna_training_optuna_storage",
        "terna_training_table_key",
    ]


def test_audit_log_has_who_logged_in_who_was_refused_and_from_where(
    replica: ComposeStack, anna: str
) -> None:
    stranger = new_key(replica, "ed25519", authorized=False)
    assert REFUSED in replica.ssh("id", user="anna", key=stranger).stderr
    assert REFUSED in replica.ssh("id", user="nobody-there", key=stranger).stderr
    assert replica.ssh("id", user="anna", key=anna).returncode == 0

    def found() -> set[tuple[str, str, str]]:
        return {
            (event["who"], event["action"], event.get("outcome", "ok"))
            for event in audited(replica)
            if re.fullmatch(r"[\d.]+ port \d+", event["where"])
        }

    wanted = {
        ("anna", "ssh: log in", "ok"),
        ("anna", "ssh: run", "ok"),
        ("anna", "ssh: log out", "ok"),
        ("anna", "ssh: log in", "refused"),
        ("nobody-there", "ssh: log in", "refused"),
    }
    replica.wait_until(lambda: wanted <= found(), "training")


def audited(replica: ComposeStack) -> list[dict[str, Any]]:
    """The events of the audit log."""
    read = ("exec", "-T", "audit", "sh", "-c", "cat /var/log/audit/*")
    return [json.loads(line) for line in replica.project.compose(*read).splitlines()]


# ---- security keys ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def provider(replica: ComposeStack) -> str:
    """A FIDO2 authenticator in software, of OpenSSH's own tests."""
    folder = replica.root.parent / "openssh-tests"
    folder.mkdir()
    fetch = "apt-get download openssh-tests && dpkg-deb --extract openssh-tests_*.deb ."
    fetched = subprocess.run(fetch, shell=True, cwd=folder, capture_output=True, text=True)
    found = list(folder.rglob("sk-dummy.so"))
    if not found:
        pytest.skip(f"Debian's package openssh-tests could not be had: {fetched.stderr[-200:]}")
    return str(found[0])


def security_key(replica: ComposeStack, provider: str, kind: str, *options: str) -> str:
    """Make a key of a security key, of a person's."""
    key = replica.root.parent / f"id_{kind}{'_'.join(options)}"
    make = ["ssh-keygen", "-q", "-N", "", "-w", provider, "-t", kind, "-f", str(key), *options]
    done = replica.project.checkout.run(make, {})
    assert done.returncode == 0, done.stderr
    people(replica, "add", "anna", f"{key}.pub")
    return str(key)


def test_security_key_logs_in_and_where_it_is_required_only_with_touch_and_pin(
    replica: ComposeStack, anna: str, provider: str
) -> None:
    pin = replica.project.checkout.write("pin", b"#!/bin/sh\necho 1234\n")
    pin.chmod(0o755)
    asked = {"SSH_ASKPASS": str(pin), "SSH_ASKPASS_REQUIRE": "force"}
    verified = [
        security_key(replica, provider, kind, "-O", "verify-required")
        for kind in ("ed25519-sk", "ecdsa-sk")
    ]
    touched = security_key(replica, provider, "ed25519-sk")
    untouched = security_key(replica, provider, "ed25519-sk", "-O", "no-touch-required")

    def logs_in(key: str) -> bool:
        option = ("-o", f"SecurityKeyProvider={provider}")
        return replica.ssh("true", *option, user="anna", key=key, **asked).returncode == 0

    assert [logs_in(key) for key in (*verified, touched, untouched, anna)] == [True] * 3 + [
        False,
        True,
    ]
    recreate = ("up", "--detach", "--wait", "--no-deps", "training")
    replica.project.compose(*recreate, TERNA_SSH_REQUIRE_SECURITY_KEY="True")
    try:
        replica.wait_until(lambda: logs_in(verified[0]), "training")
        allowed = [logs_in(key) for key in (*verified, touched, untouched, anna)]
    finally:
        replica.project.compose(*recreate)
    assert allowed == [True, True, False, False, False]
    replica.wait_for("training")


# ---- the signer ---------------------------------------------------------------------------------


def test_analyst_signs_what_a_pipeline_run_made_and_the_audit_log_says_who(
    replica: ComposeStack,
) -> None:
    told = replica.ssh("terna model sign 1").stdout
    version = re.search(r"rfc_tune version (\d+) is version 1, signed", told)
    assert version, told
    assert "would serve" in replica.ssh(f"terna model validate {version[1]}").stdout
    asked = [event for event in audited(replica) if event["action"] == "sign model"]
    signed = [event for event in asked if "outcome" not in event]
    assert {(event["who"], event["uid"]) for event in signed} >= {
        ("training", SIGNER),
        ("analyst", SIGNER),
    }
    named = re.compile(r"\w+ of run [0-9a-f]{32}")
    assert [event["what"] for event in signed if not named.fullmatch(event["what"])] == []


SIGNER = 10007
"""The user of the one service that may say who has signed."""


def test_nobody_on_server_1_reads_the_signing_key(replica: ComposeStack) -> None:
    key = replica.project.secret("signer/signing.key").splitlines()[1]
    places = "/certs /etc /home /root /run /secrets /srv /tmp /var"
    search = f"grep -rlF -- {key} {places} 2>/dev/null; true"
    assert replica.ssh(search).stdout == ""
    as_root = replica.project.compose("exec", "-T", "training", "sh", "-c", search)
    assert as_root == ""


# ---- strangers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("connections", "says"), [(110, b"SSH-2.0-Idle\r\n"), (500, b"")], ids=["a banner", "nothing"]
)
def test_connections_that_do_not_log_in_keep_nobody_out(
    replica: ComposeStack, connections: int, says: bytes
) -> None:
    port = ("127.0.0.1", replica.project.ssh_port)
    with ExitStack() as opened:
        for _ in range(connections):
            opened.enter_context(socket.create_connection(port, timeout=10)).sendall(says)
        assert [replica.ssh("id -un").stdout for _ in range(5)] == ["analyst\n"] * 5


# ---- what for -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["{}", "bash -lc '{}'"], ids=["a command", "a login shell"])
def test_terna_runs_and_reaches_the_tracking_server(replica: ComposeStack, shell: str) -> None:
    assert "Run all six phases" in replica.ssh(shell.format("terna train --help")).stdout
    assert replica.ssh(shell.format("terna healthcheck")).returncode == 0


def test_file_can_be_copied_there_and_back(replica: ComposeStack) -> None:
    sftp = f"sftp -q -b - {' '.join(replica.login())} -P {replica.project.ssh_port}"
    batch = "put README.md there.md\\nget there.md ../back.md\\n"
    copied = replica.project.checkout.run(f"printf '{batch}' | {sftp} analyst@127.0.0.1", {})
    assert copied.returncode == 0, copied.stderr
    back = replica.root.parent / "back.md"
    assert back.read_bytes() == (replica.root / "README.md").read_bytes()


@pytest.mark.parametrize(
    "forwarding",
    [
        ("-L", "{port}:tracking:5000"),
        ("-L", "{port}:127.0.0.1:2222"),
        ("-D", "{port}"),
    ],
    ids=["to another server", "to itself", "as a proxy"],
)
def test_local_port_forwarding_leads_nowhere(
    replica: ComposeStack, forwarding: tuple[str, str]
) -> None:
    port = free_port()
    options = [option.format(port=port) for option in forwarding]
    # ssh listens on this machine before it asks; what is refused shows when somebody connects.
    ask = f"python3 -c '{ASK}' {port} {'proxy' if forwarding[0] == '-D' else ''}"
    command = ["ssh", *replica.login(), "-p", str(replica.project.ssh_port), *options]
    process = subprocess.Popen(
        [*command, "analyst@127.0.0.1", "sleep 5"],
        cwd=replica.root,
    )
    try:
        told = subprocess.run(ask, shell=True, capture_output=True, text=True, check=True)
    finally:
        process.terminate()
        process.wait()
    assert told.stdout.strip() == "nothing"


ASK = """
import socket, sys, time
deadline = time.monotonic() + 5
while True:
    try:
        way = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=3)
        break
    except OSError:
        assert time.monotonic() < deadline
        time.sleep(0.1)
if len(sys.argv) > 2:
    way.sendall(bytes([5, 1, 0])); way.recv(2)
    way.sendall(bytes([5, 1, 0, 3, 8]) + b"tracking" + bytes([0x13, 0x88]))
    print("nothing" if way.recv(10)[1:2] != bytes([0]) else "something")
else:
    print("something" if way.recv(1) else "nothing")
"""


@pytest.mark.parametrize(
    "forwarding",
    [("-R", "9999:127.0.0.1:22"), ("-R", "/tmp/socket:127.0.0.1:22"), ("-w", "0:0")],
    ids=["a port back", "a socket back", "a tunnel"],
)
def test_remote_forwarding_and_tunnels_are_refused(
    replica: ComposeStack, forwarding: tuple[str, str]
) -> None:
    told = replica.ssh("true", "-o", "ExitOnForwardFailure=yes", *forwarding)
    assert told.returncode != 0


def test_agent_and_x11_are_not_forwarded(replica: ComposeStack) -> None:
    told = replica.ssh('echo "[$SSH_AUTH_SOCK$DISPLAY]"', "-A", "-X")
    assert told.stdout == "[]\n"


# ---- last, as sshd makes those wait who try much ------------------------------------------------


def test_ssh_audit_finds_nothing_to_improve(replica: ComposeStack) -> None:
    """Twice: sshd drops some of many connections, and then a probe tells nothing."""
    command = [sys.executable, "-m", "ssh_audit.ssh_audit", "--json", "--skip-rate-test"]
    found = []
    for _ in range(2):
        told = subprocess.run(
            [*command, f"127.0.0.1:{replica.project.ssh_port}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        report = json.loads(told.stdout)
        assert {key["algorithm"] for key in report["key"]} >= {"ssh-ed25519"}
        found.append(report["recommendations"])
    assert all(not recommended for recommended in found), found

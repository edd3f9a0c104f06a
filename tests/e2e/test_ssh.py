"""Server 1's sshd: who may log in, with what, and what for."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from terna.ports import free_port
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
    key = replica.root.parent / f"id_{''.join(kind).replace('-', '_')}_{authorized}"
    make = ["ssh-keygen", "-q", "-N", "", "-f", str(key), "-t", *kind]
    assert replica.project.checkout.run(make, {}).returncode == 0
    if authorized:
        public = key.with_suffix(".pub").read_text()
        with (replica.root / "secrets/training/authorized_keys").open("a") as keys:
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

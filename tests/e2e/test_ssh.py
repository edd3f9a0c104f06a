"""Server 1 as data scientists reach it: by private key only, for a shell and nothing else."""

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from terna.embedded.processes import free_port
from tests.e2e.stacks.compose import ComposeStack
from tests.engine import docker

pytestmark = pytest.mark.only_on("compose")


@pytest.fixture(scope="module")
def server(images: str) -> Iterator[ComposeStack]:
    """The training server, and what it needs."""
    with ComposeStack(images) as stack:
        stack.project.up("training")
        yield stack


def is_refused(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether somebody was turned away; the server says what it takes: keys, and nothing else."""
    return done.returncode == 255 and "Permission denied (publickey)." in done.stderr


def typed(server: ComposeStack, *arguments: str) -> list[str]:
    """The whole command line of one who logs in."""
    port = ("-p", str(server.project.ssh_port))
    return ["ssh", *server.login(), *port, *arguments]


# ---- who ----------------------------------------------------------------------------------------


def test_the_key_that_was_made_opens_the_door(server: ComposeStack) -> None:
    assert server.ssh("id -un").stdout == "analyst\n"


def test_a_password_is_not_asked_for(server: ComposeStack) -> None:
    assert is_refused(server.ssh("true", "-o", "PubkeyAuthentication=no"))


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_nobody_else_is_let_in_with_that_key(server: ComposeStack, user: str) -> None:
    assert is_refused(server.ssh("true", user=user))


@pytest.mark.parametrize(("kind", "bits"), [("ed25519", "256"), ("rsa", "3072"), ("rsa", "4096")])
def test_a_key_that_is_added_opens_the_door_until_it_is_taken_away(
    server: ComposeStack, kind: str, bits: str
) -> None:
    key = make_key(server, kind, bits)
    listed = server.root / "secrets/training/authorized_keys"
    before = listed.read_text()
    listed.write_text(before + public(server, key))
    assert server.ssh("id -un", key=key).stdout == "analyst\n"
    listed.write_text(before)
    assert is_refused(server.ssh("true", key=key))


@pytest.mark.parametrize(("kind", "bits"), [("rsa", "2048"), ("ecdsa", "256")])
def test_a_weak_key_is_refused_though_it_is_listed(
    server: ComposeStack, kind: str, bits: str
) -> None:
    key = make_key(server, kind, bits)
    with (server.root / "secrets/training/authorized_keys").open("a") as listed:
        listed.write(public(server, key))
    assert is_refused(server.ssh("true", key=key))


def make_key(server: ComposeStack, kind: str, bits: str) -> str:
    key = f"../{kind}-{bits}"
    made = ["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-f", key]
    assert server.project.checkout.run(made, {}).returncode == 0
    return key


def public(server: ComposeStack, key: str) -> str:
    return (server.root / f"{key}.pub").read_text()


# ---- for what -----------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["terna check", "bash -lc 'terna check'"])
def test_terna_finds_its_settings_in_every_kind_of_session(server: ComposeStack, line: str) -> None:
    done = server.ssh(line)
    assert done.returncode == 0, done.stderr


def test_terna_works_in_a_terminal_and_says_what_there_is(server: ComposeStack) -> None:
    assert "Phase 1" in server.ssh("terna --help", "-tt").stdout


def test_who_logs_in_is_told_what_to_type(server: ComposeStack) -> None:
    login = typed(server, "-tt", "analyst@127.0.0.1")
    terminal = subprocess.run(
        login, cwd=server.root, input="exit\n", capture_output=True, text=True, check=True
    )
    assert "Type `terna train`" in terminal.stdout


def test_files_are_copied_there_and_back(server: ComposeStack) -> None:
    there = server.project.checkout.write("table.csv", b"a,b\n1,2\n")
    back = there.with_name("back.csv")
    lines = server.project.checkout.write("lines", f"put {there}\nget table.csv {back}\n".encode())
    port = ("-P", str(server.project.ssh_port))
    sftp = ["sftp", *server.login(), *port, "-b", str(lines), "analyst@127.0.0.1"]
    done = server.project.checkout.run(sftp, {})
    assert done.returncode == 0, done.stderr
    assert back.read_bytes() == there.read_bytes()


@pytest.mark.parametrize(
    ("option", "says", "target"),
    [
        ("-L{port}:127.0.0.1:22", b"", "127.0.0.1 port 22"),
        ("-L{port}:/run/any.sock", b"", "/run/any.sock"),
        ("-D{port}", b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", "127.0.0.1 port 80"),  # SOCKS 4
    ],
    ids=["to a port", "to a socket", "wherever SOCKS says"],
)
def test_nothing_is_forwarded_from_here(
    server: ComposeStack, option: str, says: bytes, target: str
) -> None:
    port = free_port(server.project.ssh_port)
    line = typed(server, "-N", option.format(port=port), "analyst@127.0.0.1")
    with subprocess.Popen(line, cwd=server.root, stdin=subprocess.DEVNULL) as process:
        with connect(port) as used:
            used.sendall(says)
            while used.recv(100):
                pass
        process.terminate()
    refused = rf"refused \w+ port forward: .* target {target}\W"
    server.wait_until(lambda: re.search(refused, server.log("training")) is not None)


def connect(port: int) -> socket.socket:
    """A connection to a port that ssh is about to listen on."""
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=30)
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise AssertionError(f"ssh does not listen on {port}")


@pytest.mark.parametrize(
    "option", ["-R0:127.0.0.1:2222", "-R/tmp/any.sock:127.0.0.1:2222"], ids=["port", "socket"]
)
def test_nothing_is_forwarded_from_there(server: ComposeStack, option: str) -> None:
    assert server.ssh("true", option).returncode == 0
    assert server.ssh("true", option, "-o", "ExitOnForwardFailure=yes").returncode == 255


def test_neither_agent_nor_display_is_forwarded(server: ComposeStack) -> None:
    line = typed(server, "-A", "-Y", "analyst@127.0.0.1", "echo [$SSH_AUTH_SOCK$DISPLAY]")
    done = server.project.checkout.run(["ssh-agent", *line], {"DISPLAY": ":99"})
    assert done.stdout == "[]\n"


def test_no_tunnel_is_made(server: ComposeStack) -> None:
    settings = server.project.compose("exec", "-T", "training", "/usr/sbin/sshd", "-T")
    assert "\npermittunnel no\n" in settings  # a client needs root to ask for one


# ---- by what ------------------------------------------------------------------------------------


def test_an_image_holds_no_host_key(images: str) -> None:
    look = ("--entrypoint=find", f"terna/training:{images}", "/etc/ssh", "/var/lib/sshd")
    found = docker("run", "--rm", *look)
    assert "/etc/ssh/sshd_config\n" in found
    assert "ssh_host_" not in found


def test_the_server_is_known_again_after_its_container_was_made_anew(server: ComposeStack) -> None:
    assert server.ssh("true").returncode == 0
    before = server.project.inspect("training")["Id"]
    server.project.up("--force-recreate", "--no-deps", "training")
    assert server.project.inspect("training")["Id"] != before
    assert server.ssh("true").returncode == 0  # another host key is refused


def test_the_health_check_does_not_fill_the_log(server: ComposeStack) -> None:
    assert server.project.inspect("training")["State"]["Health"]["Log"]
    assert "127.0.0.1" not in server.log("training")


def test_ssh_audit_finds_nothing_to_improve_and_locks_others_out_for_a_moment_only(
    server: ComposeStack,
) -> None:
    audit = [sys.executable, "-m", "ssh_audit", "--json", "-p", str(server.project.ssh_port)]
    done = subprocess.run([*audit, "127.0.0.1"], capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    assert all(found[kind] for kind in ("kex", "key", "enc", "mac")), found
    assert not any(found[kind] for kind in ("recommendations", "cves", "additional_notes")), found
    assert done.returncode == 0
    # It knocked too often, and all callers of 127.0.0.1 have one address: see sshd_config.
    server.wait_until(lambda: server.ssh("true").returncode == 0)

"""Who signs: this process, or the signer behind a socket that holds the key."""

import base64
import json
import os
import pwd
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from terna.contracts.version import SIGNATURE_FILE
from terna.errors import ModelRejected, SettingsError, SignatureInvalid, SignerUnreachable
from terna.security import signer_server, signing
from terna.security.audit import AuditLog
from terna.security.signer import KeyFile, SignerSocket, signer
from terna.security.signer_server import SignerServer
from terna.settings import Training

ME = pwd.getpwuid(os.geteuid()).pw_name
MLMODEL = "flavors: {}\nmetadata: {model: churn, run_id: 0123abcd, model_id: m-1}\n"
MOST_BYTES = 100_000


class Held:
    """A signer that runs, what it has recorded, and the public key."""

    def __init__(self, folder: Path) -> None:
        self.socket, self.log = folder / "signer", folder / "audit.jsonl"
        self.private, self.public = folder / "signing.key", folder / "signing.pub"
        signing.ensure_signing_keys(self.private, self.public)
        self.server = SignerServer(self.socket, self.private, MOST_BYTES, AuditLog(self.log))

    def recorded(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    found = Held(tmp_path)
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text(MLMODEL)
    (folder / "model.skops").write_bytes(b"\0" * 5000)
    (folder / "data/nested").write_text("café")
    (folder / "empty").touch()
    return folder


def test_what_the_signer_signs_verifies_and_the_audit_log_says_who_asked(
    held: Held, model: Path
) -> None:
    SignerSocket(held.socket).sign(model)
    signing.verify(model, held.public)
    (event,) = held.recorded()
    assert (event["who"], event["action"]) == (ME, "sign model")
    assert event["what"] == "churn of run 0123abcd"
    assert "outcome" not in event  # which means ok


def test_it_signs_what_a_key_file_would(held: Held, model: Path) -> None:
    SignerSocket(held.socket).sign(model)
    by_signer = signed(model)
    KeyFile(held.private).sign(model)
    assert by_signer == signed(model)


def signed(model: Path) -> object:
    """What the signature says of each file, without the signature itself."""
    envelope = json.loads((model / SIGNATURE_FILE).read_text())["dsseEnvelope"]
    return json.loads(base64.b64decode(envelope["payload"]))["predicate"]["resources"]


@pytest.mark.parametrize("change", ["content", "added", "removed"])
def test_what_is_changed_after_signing_does_not_verify(
    held: Held, model: Path, change: str
) -> None:
    SignerSocket(held.socket).sign(model)
    if change == "removed":
        (model / "empty").unlink()
    else:
        (model / {"content": "empty", "added": "more"}[change]).write_text("x")
    with pytest.raises(SignatureInvalid):
        signing.verify(model, held.public)


def test_signing_again_replaces_the_signature(held: Held, model: Path) -> None:
    SignerSocket(held.socket).sign(model)
    (model / "empty").write_text("no longer")
    SignerSocket(held.socket).sign(model)
    signing.verify(model, held.public)


@pytest.mark.parametrize(
    "mlmodel",
    ["flavors: {}", "metadata: {model: churn}", "metadata: {model: [a], run_id: b}", "[" * 10_000],
    ids=["no metadata", "no run", "no name", "no YAML"],
)
def test_model_that_does_not_say_what_it_was_made_for_is_refused(
    held: Held, model: Path, mlmodel: str
) -> None:
    (model / "MLmodel").write_text(mlmodel)
    with pytest.raises(ModelRejected, match="does not name the model and the run"):
        SignerSocket(held.socket).sign(model)
    assert not (model / SIGNATURE_FILE).exists()
    (event,) = held.recorded()
    assert (event["who"], event["outcome"]) == (ME, "refused")


def test_directory_without_mlmodel_is_refused(held: Held, model: Path) -> None:
    (model / "MLmodel").unlink()
    with pytest.raises(ModelRejected, match="does not name"):
        SignerSocket(held.socket).sign(model)


def test_files_that_are_too_large_together_are_refused(held: Held, model: Path) -> None:
    os.truncate(model / "model.skops", 10**12)  # a hole: nobody reads to its end
    with pytest.raises(ModelRejected, match=f"more than {MOST_BYTES} bytes"):
        SignerSocket(held.socket).sign(model)


def test_too_many_files_are_refused(
    held: Held, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signer_server, "MOST_FILES", 3)
    with pytest.raises(ModelRejected, match="more than 3 files"):
        SignerSocket(held.socket).sign(model)


@pytest.mark.parametrize("kind", ["symlink", "pipe"])
def test_what_is_no_file_is_not_sent(held: Held, model: Path, kind: str) -> None:
    path = model / kind
    path.symlink_to("empty") if kind == "symlink" else os.mkfifo(path)
    with pytest.raises(ModelRejected, match="is no file"):
        SignerSocket(held.socket).sign(model)


@pytest.mark.parametrize(
    "name", ["../MLmodel", "/etc/passwd", "a//b", "./a", "a/..", SIGNATURE_FILE, "a\udcff"]
)
def test_name_that_is_none_of_a_file_to_sign_is_refused(held: Held, name: str) -> None:
    answer = handed(held, (name.encode(errors="surrogateescape"), "/dev/zero"))
    assert "is no path" in answer["error"] or "is no file" in answer["error"]


def test_file_handed_over_twice_is_refused(held: Held, model: Path) -> None:
    same = (b"MLmodel", str(model / "MLmodel"))
    assert "twice" in handed(held, same, same)["error"]


@pytest.mark.parametrize("opened", ["/dev/zero", "/"], ids=["a device", "a folder"])
def test_what_is_handed_over_and_no_file_is_refused(held: Held, opened: str) -> None:
    assert "is no file" in handed(held, (b"MLmodel", opened))["error"]


def test_name_without_a_file_is_refused(held: Held) -> None:
    with connected(held) as connection:
        connection.send(b"MLmodel")
        connection.shutdown(socket.SHUT_WR)
        assert "is no file" in json.loads(connection.recv(10_000))["error"]


def handed(held: Held, *files: tuple[bytes, str]) -> dict[str, str]:
    """What the signer answers to these names with these files, whatever our client would send."""
    with connected(held) as connection:
        for name, path in files:
            opened = os.open(path, os.O_RDONLY)
            socket.send_fds(connection, [name], [opened])
            os.close(opened)
        connection.shutdown(socket.SHUT_WR)
        answer: dict[str, str] = json.loads(connection.recv(10_000))
        return answer


def connected(held: Held) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(30)
    connection.connect(str(held.socket))
    return connection


def test_who_keeps_many_connections_open_gets_no_more_and_later_gets_in_again(
    held: Held, model: Path
) -> None:
    most = signer_server.MOST_AT_A_TIME
    idle = [connected(held) for _ in range(most)]
    with pytest.raises(SignerUnreachable):
        SignerSocket(held.socket).sign(model)
    for connection in idle:
        connection.shutdown(socket.SHUT_WR)
        assert b"error" in connection.recv(10_000)
        connection.close()
    for _ in range(most + 1):  # each has to be counted no longer
        retry_until_counted(held, model)
    signing.verify(model, held.public)


def retry_until_counted(held: Held, model: Path) -> None:
    """Sign; what was answered a moment ago may still be counted."""
    for _ in range(1000):
        try:
            return SignerSocket(held.socket).sign(model)
        except SignerUnreachable:
            continue
    raise AssertionError("the signer turns away whom it has answered")


def test_signature_is_given_where_the_audit_log_cannot_be_written(
    held: Held, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    held.server.audit = AuditLog(Path("/proc/nowhere/audit.jsonl"))
    SignerSocket(held.socket).sign(model)
    signing.verify(model, held.public)
    told = caplog.text
    assert f"{ME}: sign model churn of run 0123abcd: ok" in told
    assert "The audit log /proc/nowhere/audit.jsonl cannot be written" in told


def test_signer_that_does_not_answer_is_named(model: Path, tmp_path: Path) -> None:
    with pytest.raises(SignerUnreachable, match=r"does not answer at .*/nobody"):
        SignerSocket(tmp_path / "nobody").sign(model)


def test_socket_of_an_ended_signer_is_replaced(held: Held, model: Path) -> None:
    held.server.shutdown()
    held.server.server_close()
    again = SignerServer(held.socket, held.private, MOST_BYTES, AuditLog(held.log))
    with again:
        held.server = again
        threading.Thread(target=again.serve_forever, daemon=True).start()
        SignerSocket(held.socket).sign(model)
    signing.verify(model, held.public)


def test_signer_without_a_key_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="private key"):
        SignerServer(tmp_path / "s", tmp_path / "gone", 1, AuditLog(tmp_path / "log"))


def test_user_without_a_name_is_known_by_the_id() -> None:
    assert signer_server.name_of(4_000_000) == "4000000"


def test_setting_says_who_signs() -> None:
    assert signer(Training(signing_key=Path("a.key"))) == KeyFile(Path("a.key"))
    assert signer(Training(signer="/run/signer/socket")) == SignerSocket(Path("/run/signer/socket"))

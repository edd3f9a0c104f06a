"""What sshd's log becomes: events of the audit log, and a log for people."""

import json
import logging
from pathlib import Path

import pytest

from terna.security.audit import AuditLog
from terna.training import ssh_server
from terna.training.ssh_server import follow, pass_on

KEY = "ED25519 SHA256:3r0mYG1ZaadyN7yt6IP9aWvrVhZLiVRVrWP/F0LyJi8"
HERE = "192.168.208.3 port 37714"

# OpenSSH 10.0 says these.
SAID = {
    f"Accepted publickey for anna from {HERE} ssh2: {KEY}": ("anna", "log in", "ok", KEY),
    f"Starting session: shell on pts/0 for anna from {HERE} id 0": (
        *("anna", "run", "ok"),
        "shell on pts/0",
    ),
    f"Starting session: subsystem 'sftp' for anna from {HERE} id 0": (
        *("anna", "run", "ok"),
        "subsystem 'sftp'",
    ),
    f"Disconnected from user anna {HERE}": ("anna", "log out", "ok", ""),
    f"Connection closed by user anna {HERE}": ("anna", "log out", "ok", ""),
    f"Timeout, client not responding from user anna {HERE}": ("anna", "log out", "ok", ""),
    f"Failed publickey for anna from {HERE} ssh2: {KEY}": ("anna", "log in", "refused", KEY),
    f"Connection closed by invalid user root {HERE} [preauth]": ("root", "log in", "refused", ""),
    f"Connection closed by authenticating user anna {HERE} [preauth]": (
        *("anna", "log in", "refused"),
        "",
    ),
    f"Disconnected from invalid user a b {HERE} [preauth]": ("a b", "log in", "refused", ""),
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def events(log: Path) -> list[tuple[str, str, str, str, str]]:
    found = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return [
        (e["who"], e["action"], e.get("outcome", "ok"), e.get("what", ""), e["where"])
        for e in found
    ]


@pytest.mark.parametrize("line", SAID)
def test_line_of_sshd_is_recorded(line: str, log: Path) -> None:
    pass_on([line + "\n"], AuditLog(log))
    who, action, outcome, what = SAID[line]
    assert events(log) == [(who, f"ssh: {action}", outcome, what, HERE)]


@pytest.mark.parametrize(
    "line",
    [
        "Server listening on 0.0.0.0 port 2222.",
        f"Connection from {HERE} on 192.168.208.2 port 2222",
        f"Failed none for anna from {HERE} ssh2",
        f"Connection closed by {HERE} [preauth]",
    ],
)
def test_other_lines_are_not(line: str, log: Path) -> None:
    pass_on([line], AuditLog(log))
    assert events(log) == []


@pytest.mark.parametrize(
    "made_up",
    [
        f"root from 203.0.113.9 port 22 ssh2: {KEY}",
        "root 203.0.113.9 port 22 [preauth]",
        "user root 203.0.113.9 port 22",
    ],
)
def test_name_that_a_stranger_made_up_changes_neither_address_nor_outcome(
    made_up: str, log: Path
) -> None:
    pass_on(
        [
            f"Failed publickey for invalid user {made_up} from {HERE} ssh2: {KEY}",
            f"Connection closed by invalid user {made_up} {HERE} [preauth]",
        ],
        AuditLog(log),
    )
    assert [(outcome, where) for _, _, outcome, _, where in events(log)] == [("refused", HERE)] * 2


def test_log_leaves_out_what_nobody_looks_for(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    said = [f"Connection from {HERE} on x port 2222", "Server listening on :: port 2222."]
    pass_on(said, AuditLog(log))
    assert caplog.messages == ["Server listening on :: port 2222."]


def test_sshd_goes_on_where_the_audit_log_cannot_be_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pass_on(SAID, AuditLog(Path("/proc/nowhere/log")))
    assert "The audit log /proc/nowhere/log cannot be written" in caplog.text


def test_accounts_are_looked_after_until_the_end_and_a_failure_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing = iter([OSError("disk full"), OSError("disk full"), None, OSError("disk full")])
    ended = iter([False] * 4 + [True])

    def ensure() -> None:
        if error := next(failing):
            raise error

    follow(ensure, lambda _: next(ended))
    assert caplog.messages == ["accounts: disk full"] * 2
    assert next(failing, "all asked") == "all asked"


def test_sshd_says_what_is_recorded() -> None:
    """The events are of LogLevel VERBOSE."""
    config = Path(ssh_server.__file__).parents[2] / "services/training/sshd_config"
    assert "\nLogLevel VERBOSE\n" in config.read_text()

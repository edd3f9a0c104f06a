import socket
import stat
from pathlib import Path

import msgspec
import pytest

from terna.errors import SettingsError
from terna.security.audit import SYSLOG_PREFIX, AuditEvent, AuditLog


def _events(lines: bytes) -> list[AuditEvent]:
    return [msgspec.json.decode(line, type=AuditEvent) for line in lines.splitlines()]


def test_event_in_a_file_is_one_line_that_says_who_did_what_from_where(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    AuditLog(path).record("maria", "promote version", "rfc_tune 3", "127.0.0.1")
    (event,) = _events(path.read_bytes())
    assert (event.who, event.action, event.what, event.where, event.outcome) == (
        "maria",
        "promote version",
        "rfc_tune 3",
        "127.0.0.1",
        "ok",
    )


def test_second_event_is_appended_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for name in ("maria", "jo"):
        AuditLog(path).record(name, "log in")
    assert [event.who for event in _events(path.read_bytes())] == ["maria", "jo"]


def test_line_break_in_a_name_makes_no_second_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    AuditLog(path).record('x\n{"who": "root"}', "log in", outcome="failed")
    assert len(_events(path.read_bytes())) == 1


def test_file_and_its_folder_are_private(tmp_path: Path) -> None:
    path = tmp_path / "logs/audit.jsonl"
    AuditLog(path).record("maria", "log in")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_event_to_a_socket_arrives_as_a_syslog_message(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(path))
        AuditLog(path).record("maria", "log in")
        message = daemon.recv(4096)
    assert message.startswith(SYSLOG_PREFIX)
    assert _events(message.removeprefix(SYSLOG_PREFIX))[0].who == "maria"


def test_event_that_cannot_be_written_is_an_error_that_names_the_log(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"audit log .*/file/audit\.jsonl cannot be written"):
        AuditLog(tmp_path / "file/audit.jsonl").record("maria", "log in")

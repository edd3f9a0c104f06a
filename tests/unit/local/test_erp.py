"""The local ERP: its web client, its settings, and what is left when a part of it fails."""

import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest

from terna.errors import TernaError
from terna.local import erp
from terna.local.erp import LocalErp, web_client_series
from terna.local.servers import ensure_local_secrets, local_settings
from terna.ports import free_port
from terna.progress import Silent
from terna.settings import Settings
from tests.ports import settings_on_free_ports


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = local_settings(tmp_path, settings_on_free_ports(), "churn")
    ensure_local_secrets(settings, tmp_path)
    return settings


@pytest.fixture
def local_erp(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalErp:
    monkeypatch.setattr(erp, "WEB_CLIENT", tmp_path / "www")
    monkeypatch.setattr(erp, "PORT", free_port())
    return LocalErp(tmp_path, settings, Silent(), ("age", "plan"), [(41, None), (7, "a, b")])


def install_web_client(folder: Path, version: str) -> None:
    (folder / "dist").mkdir(parents=True)
    script = f"var Sao = {{\n    __version__: '{version}',\n}};"
    (folder / "dist/tryton-sao.js").write_text(script)


@pytest.mark.parametrize(("version", "series"), [("7.0.28", "7.0"), ("6.0.14", "6.0")])
def test_series_of_a_web_client_is_read(tmp_path: Path, version: str, series: str) -> None:
    install_web_client(tmp_path, version)
    assert web_client_series(tmp_path) == series


def test_no_web_client_has_no_series(tmp_path: Path) -> None:
    assert web_client_series(tmp_path) == ""


def test_web_client_that_fits_is_shown_to_the_first_users(
    local_erp: LocalErp, tmp_path: Path
) -> None:
    install_web_client(tmp_path / "www", "7.0.28")
    assert local_erp.describe_web_client() == (
        f"{local_erp.url}  as one of admin, analyst, auditor, case-handler, clerk"
    )


@pytest.mark.parametrize(
    ("version", "says"), [("", "tryton-sao is not installed"), ("6.0.14", "tryton-sao is 6.0")]
)
def test_one_line_says_how_to_get_a_web_client_that_fits(
    local_erp: LocalErp, tmp_path: Path, version: str, says: str
) -> None:
    if version:
        install_web_client(tmp_path / "www", version)
    line = local_erp.describe_web_client()
    assert says in line
    assert "it takes 7.0, of Debian 13 (trixie): sudo apt install tryton-sao" in line
    assert "\n" not in line


def test_part_that_fails_names_its_log_and_leaves_no_customer(
    local_erp: LocalErp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", _failing(tmp_path))
    log = tmp_path / ".terna/logs/erp.log"
    with pytest.raises(TernaError, match=f"terna erp init failed: see {log}"), local_erp:
        pytest.fail("it is not up")
    assert log.read_text() == '-m terna.erp.tryton init erp\nage,plan\n41,\n7,"a, b"\n'
    assert not list((tmp_path / ".terna/erp").rglob("*.csv"))


def test_tryton_is_told_where_everything_is(
    local_erp: LocalErp, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", _failing(tmp_path))
    with pytest.raises(TernaError), local_erp:
        pytest.fail("it is not up")
    found = RawConfigParser()
    found.read(tmp_path / ".terna/erp/churn/trytond.conf")
    assert found["database"]["path"] == str(tmp_path / ".terna/erp/churn")
    assert (tmp_path / ".terna/erp/churn/erp.sqlite").stat().st_mode & 0o077 == 0
    assert found["terna"]["secrets"] == str(tmp_path / "secrets/erp")
    assert found["terna"]["endpoint"] == settings.erp.endpoint
    assert found["session"]["authentications"] == "password+totp"
    assert found["web"]["root"] == ""


def _failing(folder: Path) -> str:
    """Return a program in Python's place that shows what it is given, and fails."""
    program = folder / "python"
    program.write_text('#!/bin/sh\necho "$1 $2 $3 $4"\ncat "$6"\nexit 1\n')
    program.chmod(0o755)
    return str(program)

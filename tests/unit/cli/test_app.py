"""The command line as a whole: its help, and how a command ends."""

import re
import subprocess
import sys

import pytest
import typer.main

from terna.cli.app import app
from terna.errors import TernaError
from terna.settings import Settings
from tests.unit.cli.running import Terna

PANELS = {
    "All of it on this machine": {"demo", "certificates"},
    "Server 1: train": {
        *("train", "acquire", "explore", "prepare", "tune", "evaluate", "publish"),
        "people",
    },
    "Server 2: track and serve": {
        *("model", "api-keys", "secrets", "promote", "track", "serve", "healthcheck"),
    },
    "Server 3: the ERP": {"erp"},
}
HIDDEN = {
    *("agent", "init-object-store", "init-stores", "init-secrets", "renew", "signer", "sshd"),
}


def fail_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every command that reads the settings end by this error."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(Settings, "load", fail)


def test_what_a_command_writes_is_its_users_own(terna: Terna) -> None:
    terna("--help")
    assert terna.umask == 0o077


def test_help_lists_every_command_in_its_panel(terna: Terna) -> None:
    done = terna("--help")

    panels = dict(re.findall(r"─ ([\w ,:]+) ─+╮\n(.*?)╰", done.out, flags=re.DOTALL))
    listed = {name: set(re.findall(r"│ ([a-z]\S*)", text)) for name, text in panels.items()}
    assert {name: listed[name] for name in PANELS} == PANELS
    assert done.code == 0


@pytest.mark.parametrize("command", sorted({*HIDDEN}.union(*PANELS.values())))
def test_every_command_has_help(terna: Terna, command: str) -> None:
    done = terna(command, "--help")

    assert done.code == 0
    assert f"terna {command}" in done.out


def test_no_command_is_missing_in_these_tests() -> None:
    commands = vars(typer.main.get_command(app))["commands"]
    assert set(commands) == HIDDEN.union(*PANELS.values())


def test_no_arguments_print_the_help(terna: Terna) -> None:
    assert "Server 1: train" in terna().out


def test_error_is_one_line_on_stderr_and_exit_code_1(
    terna: Terna, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = f"It cannot be done [at all]: {'a long reason ' * 30}"
    fail_with(TernaError(message), monkeypatch)

    done = terna("healthcheck")

    assert (done.code, done.out, done.err) == (1, "", f"error: {message}\n")


def test_ctrl_c_is_exit_code_130(terna: Terna, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(KeyboardInterrupt(), monkeypatch)

    done = terna("healthcheck")

    assert (done.code, done.out) == (130, "")


def test_error_that_is_none_of_ternas_keeps_its_traceback(
    terna: Terna, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(ZeroDivisionError(), monkeypatch)

    with pytest.raises(ZeroDivisionError):
        terna("healthcheck")


def test_setting_that_cannot_be_used_names_its_variable(
    terna: Terna, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERNA_SERVING_PORT", "https")

    done = terna("serve")

    assert done.code == 1
    assert done.err.startswith("error: TERNA_SERVING_PORT: ")


def test_module_prints_help_without_importing_large_libraries() -> None:
    code = (
        "import runpy, sys\n"
        "try: runpy.run_module('terna', run_name='__main__')\n"
        "except SystemExit: print(*{'mlflow', 'pandas', 'sklearn', 'numpy'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "Server 1: train" in done.stdout
    assert done.stdout.splitlines()[-1] == ""

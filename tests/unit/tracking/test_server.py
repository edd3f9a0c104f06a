"""The MLflow server's command line and environment, from settings."""

import configparser
import os
import shlex
import sys
from pathlib import Path

import pytest

from terna.errors import SettingsError
from terna.settings import Tracking
from terna.tracking import server


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def made(root: Path) -> Tracking:
    """Settings whose certificate and key exist."""
    (root / "tls.crt").touch()
    (root / "tls.key").touch()
    return Tracking(
        certificate=root / "tls.crt",
        key=root / "tls.key",
        backend_store_uri=f"sqlite:///{root}/state/tracking/mlflow.db",
        artifacts_destination=str(root / "artifacts"),
    )


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """The command lines that `serve` would have become."""
    commands: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(os, "execv", lambda *command: commands.append(command))
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return commands


def test_every_setting_reaches_the_command_line() -> None:
    tracking = Tracking(
        host="0.0.0.0",
        port=5001,
        backend_store_uri="postgresql://db/mlflow",
        artifacts_destination="s3://bucket",
        allowed_hosts="tracking,tracking:*",
    )

    command = server.command(tracking)

    assert command[:4] == [sys.executable, "-m", "mlflow", "server"]
    assert option(command, "--host") == "0.0.0.0"
    assert option(command, "--port") == "5001"
    assert not any("postgresql" in argument for argument in command)  # it may hold a password
    assert option(command, "--artifacts-destination") == "s3://bucket"
    assert option(command, "--allowed-hosts") == "tracking,tracking:*"


def test_tls_paths_with_a_space_stay_whole() -> None:
    tracking = Tracking(
        certificate=Path("/home/my projects/tls.crt"), key=Path("/home/my projects/tls.key")
    )

    options = shlex.split(option(server.command(tracking), "--uvicorn-opts"))  # as MLflow does

    assert option(options, "--ssl-certfile") == "/home/my projects/tls.crt"
    assert option(options, "--ssl-keyfile") == "/home/my projects/tls.key"


def test_serve_becomes_the_server_without_telemetry(
    tmp_path: Path, started: list[tuple[str, list[str]]]
) -> None:
    tracking = made(tmp_path)

    server.serve(tracking)

    assert started == [(sys.executable, server.command(tracking))]
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert (tmp_path / "state/tracking").is_dir()


@pytest.mark.parametrize("missing", ["tls.crt", "tls.key"])
def test_missing_key_or_certificate_is_named_and_nothing_starts(
    tmp_path: Path, started: list[tuple[str, list[str]]], missing: str
) -> None:
    tracking = made(tmp_path)
    (tmp_path / missing).unlink()

    with pytest.raises(SettingsError, match=f"{missing} is missing: `terna certificates`"):
        server.serve(tracking)

    assert started == []


def test_postgres_backend_makes_no_folder(
    tmp_path: Path, started: list[tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tracking = made(tmp_path).model_copy(update={"backend_store_uri": "postgresql://db/mlflow"})

    server.serve(tracking)

    assert len(started) == 1
    assert sorted(f.name for f in tmp_path.iterdir()) == ["tls.crt", "tls.key"]


def test_database_of_users_turns_basic_auth_on(
    tmp_path: Path, started: list[tuple[str, list[str]]]
) -> None:
    store = f"postgresql://auth:p%40ss@localhost/{tmp_path.name}"
    server.serve(made(tmp_path).model_copy(update={"auth_database_uri": store}))
    _, command = started[0]
    assert option(command, "--app-name") == "basic-auth"
    assert not any("p%40ss" in argument for argument in command)
    config = Path(os.environ["MLFLOW_AUTH_CONFIG_PATH"])
    parser = configparser.ConfigParser()
    parser.read(config)
    assert parser["mlflow"]["database_uri"] == store
    assert parser["mlflow"]["default_permission"] == "NO_PERMISSIONS"
    assert config.parent.stat().st_mode & 0o077 == 0

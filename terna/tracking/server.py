"""The MLflow tracking server: settings → its command line."""

import os
import secrets
import shlex
import sys
from pathlib import Path

from terna.errors import SettingsError
from terna.settings import Tracking
from terna.tracking.logins import write_config


def command(tracking: Tracking) -> list[str]:
    """The command that runs the server."""
    tls = ("--ssl-certfile", str(tracking.certificate), "--ssl-keyfile", str(tracking.key))
    # A client that keeps its connection open would hold up the server's end.
    ending = ("--timeout-graceful-shutdown", "3")
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--host", tracking.host),
        *("--port", str(tracking.port)),
        *("--workers", "1"),
        *("--artifacts-destination", tracking.artifacts_destination),
        *("--allowed-hosts", tracking.allowed_hosts),
        *("--uvicorn-opts", shlex.join([*tls, *ending, "--log-level", "warning"])),
        *(("--app-name", "basic-auth") if tracking.auth_database_uri else ()),
    ]


def serve(tracking: Tracking) -> None:
    """Become the server; does not return.

    Raises:
        SettingsError: a key or certificate is missing.
    """
    for path in (tracking.certificate, tracking.key):
        if not path.is_file():
            raise SettingsError(f"{path} is missing: `terna certificates` makes it.")
    _make_folder(tracking)
    # MLflow would report usage to its makers, and start workers for jobs that Terna has none of.
    os.environ |= {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_LOGGING_LEVEL": "INFO",
        # Not an argument: it may hold a password, and arguments are for everybody to see.
        "MLFLOW_BACKEND_STORE_URI": tracking.backend_store_uri,
    }
    if tracking.auth_database_uri:
        os.environ |= _logins(tracking.auth_database_uri)
    arguments = command(tracking)
    os.execv(arguments[0], arguments)  # noqa: S606


def _logins(database: str) -> dict[str, str]:
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(write_config(database)),
        # It signs no more than the form with which people sign up: a new one each start will do.
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(32),
    }


def _make_folder(tracking: Tracking) -> None:
    """SQLite makes its file, but not the folder that the file is in."""
    if tracking.backend_store_uri.startswith("sqlite:///"):
        Path(tracking.backend_store_uri.removeprefix("sqlite:///")).parent.mkdir(
            parents=True, exist_ok=True
        )

"""The MLflow tracking server: turn settings into its command line, and run it."""

import os
import secrets
import shlex
import sys
from pathlib import Path

from terna.errors import SettingsError
from terna.settings import Tracking
from terna.tracking.logins import write_config


def command(tracking: Tracking) -> list[str]:
    """Return the command line that runs the server."""
    tls = ("--ssl-certfile", str(tracking.certificate), "--ssl-keyfile", str(tracking.key))
    # Else a client that keeps its connection open would delay the end of the server.
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
    """Replace this process by the server; does not return.

    MLflow takes some of its settings from the environment only, so this sets its variables.

    Raises:
        SettingsError: a key or certificate is missing.
    """
    for path in (tracking.certificate, tracking.key):
        if not path.is_file():
            raise SettingsError(f"{path} is missing: `terna certificates` makes it.")
    _ensure_folder(tracking)
    # MLflow would report usage to its makers, and start workers for jobs, which Terna does not use.
    os.environ |= {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_LOGGING_LEVEL": "INFO",
        # Not an argument: it may hold a password, and every user can read arguments.
        "MLFLOW_BACKEND_STORE_URI": tracking.backend_store_uri,
    }
    if tracking.auth_database_uri:
        os.environ |= _auth_variables(tracking.auth_database_uri)
    arguments = command(tracking)
    os.execv(arguments[0], arguments)  # noqa: S606


def _auth_variables(database: str) -> dict[str, str]:
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(write_config(database)),
        # It signs only the form for new users, so that a new one at each start is enough.
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(32),
    }


def _ensure_folder(tracking: Tracking) -> None:
    """Make the folder of SQLite's file, which SQLite does not make."""
    if tracking.backend_store_uri.startswith("sqlite:///"):
        Path(tracking.backend_store_uri.removeprefix("sqlite:///")).parent.mkdir(
            parents=True, exist_ok=True
        )

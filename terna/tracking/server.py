"""The MLflow tracking server: MLflow's own application behind our gate, in this process."""

import logging
import os
import secrets
import ssl
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import uvicorn

from terna.errors import SettingsError
from terna.security import renewal
from terna.security.audit import AuditLog
from terna.settings import Settings, Tracking
from terna.tracking import bucket_credentials, database_passwords, logins
from terna.tracking.gate import Gate

if TYPE_CHECKING:
    from starlette.types import ASGIApp

ARTIFACT_ROOT = "mlflow-artifacts:/"
"""Where clients are told that artifacts are: the server itself hands them on to the store."""


def serve(tracking: Tracking, audit: AuditLog) -> None:
    """Run the server until it is told to stop.

    Raises:
        SettingsError: a key, a certificate or a login's password is missing.
    """
    for path in (tracking.certificate, tracking.key):
        if not path.is_file():
            raise SettingsError(f"{path} is missing: `terna certificates` makes it.")
    for database in (tracking.backend_store_uri, tracking.auth_database_uri):
        _ensure_folder(database)
    os.environ |= _variables(tracking)
    bucket_credentials.use_certificate(tracking)
    database_passwords.follow(lambda: Settings.load().tracking)
    known = logins.MLflowLogins(tracking.auth_database_uri, tracking.logins_dir)
    known.ensure()
    gate = Gate(mlflow_app(tracking), known, audit)
    Thread(target=partial(logins.follow, known, gate.forget_logins), daemon=True).start()
    server = build_server(gate, tracking)
    if server.config.ssl:
        files = renewal.CertificateFiles(tracking.certificate, tracking.key)
        Thread(target=partial(renewal.follow, files, server.config.ssl), daemon=True).start()
    server.run()


def build_server(app: "ASGIApp", tracking: Tracking) -> uvicorn.Server:
    """Return the server, whose `config.ssl` is the context that a renewed certificate goes to."""
    config = uvicorn.Config(
        app,
        tracking.host,
        tracking.port,
        lifespan="off",
        ws="none",
        # Nobody is in front of this server, so that nobody may say who the caller is.
        proxy_headers=False,
        log_level="warning",
        access_log=False,
        server_header=False,
        # Else a client that keeps its connection open would delay the end of the server.
        timeout_graceful_shutdown=3,
        ssl_certfile=str(tracking.certificate),
        ssl_keyfile=str(tracking.key),
    )
    config.load()
    if config.ssl:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
    return uvicorn.Server(config)


def mlflow_app(tracking: Tracking) -> "ASGIApp":
    """Return MLflow's application with its basic-auth, as `mlflow server` would run it.

    These variables and functions are those of that command: look at it at an upgrade of MLflow.
    """
    from mlflow.server import constants, handlers

    os.environ |= {
        "_MLFLOW_SGI_NAME": "uvicorn",  # as its own command sets it for what it starts
        constants.BACKEND_STORE_URI_ENV_VAR: tracking.backend_store_uri,
        constants.ARTIFACT_ROOT_ENV_VAR: ARTIFACT_ROOT,
        constants.ARTIFACTS_DESTINATION_ENV_VAR: tracking.artifacts_destination,
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
    }
    handlers.initialize_backend_stores(
        tracking.backend_store_uri, tracking.backend_store_uri, ARTIFACT_ROOT
    )
    from mlflow.server.auth import create_app

    logging.getLogger("mlflow.server.auth").setLevel(logging.ERROR)  # it says "experimental"
    app: ASGIApp = create_app()
    return app


def _variables(tracking: Tracking) -> Mapping[str, str]:
    """Return the settings that MLflow reads from the environment when its server is imported."""
    return {
        # MLflow would report usage to its makers, and start workers for jobs.
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_LOGGING_LEVEL": "INFO",
        "MLFLOW_SERVER_ALLOWED_HOSTS": tracking.allowed_hosts,
        "MLFLOW_AUTH_CONFIG_PATH": str(logins.write_config(tracking.auth_database_uri)),
        # It signs only the form for new users, which is not served.
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(32),
    }


def _ensure_folder(database: str) -> None:
    """Make the folder of SQLite's file, which SQLite does not make."""
    if database.startswith("sqlite:///"):
        Path(database.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)

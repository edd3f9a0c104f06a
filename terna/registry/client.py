"""MLflow's client: how Terna connects it, and MLflow's errors as Terna's."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException

from terna.errors import TrackingRefused, TrackingUnreachable
from terna.settings import Tracking


def connect(tracking: Tracking) -> MlflowClient:
    """A client of the tracking server. It asks nothing yet.

    MLflow takes the CA, the time-out and the retries from the environment of the process only.
    Its defaults (7 retries, 120 s) would stall a server whose tracking server is away, and send
    clients to the object store, which only the tracking server reaches.
    """
    os.environ |= {
        "MLFLOW_TRACKING_SERVER_CERT_PATH": str(tracking.ca.absolute()),
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, round(tracking.timeout_seconds))),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    _log_in(tracking)
    return MlflowClient(tracking.uri, tracking.uri)


def _log_in(tracking: Tracking) -> None:
    login = {
        "MLFLOW_TRACKING_USERNAME": tracking.user,
        "MLFLOW_TRACKING_PASSWORD": tracking.password,
    }
    for variable, value in login.items():
        os.environ.pop(variable, None)
        if tracking.user:
            os.environ[variable] = value


@contextmanager
def translate_errors(client: MlflowClient) -> Iterator[None]:
    """Turn MLflow's errors into ours: one line each, and the same for every backend."""
    try:
        yield
    except (MlflowException, OSError) as error:
        raise _ours(error, f"The tracking server at {client.tracking_uri}") from error


def _ours(error: MlflowException | OSError, server: str) -> TrackingRefused | TrackingUnreachable:
    if _http_status(error) in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return TrackingRefused(
            f"{server} does not allow this: are TERNA_TRACKING_USER and its password right, and"
            " does the user have the permission?"
        )
    if isinstance(error, RestException):
        return TrackingRefused(f"{server} refused: {_first_line(error)}")
    return TrackingUnreachable(
        f"{server} does not answer. Is it running, and is TERNA_TRACKING_URI right?"
    )


def _http_status(error: MlflowException | OSError) -> int | None:
    if isinstance(error, MlflowException):
        return int(error.get_http_status_code())
    return getattr(getattr(error, "response", None), "status_code", None)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]

"""MLflow's client: connect it, and translate its errors into Terna's."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    RESOURCE_DOES_NOT_EXIST,
    ErrorCode,
)

from terna.errors import TrackingRefused, TrackingUnreachable
from terna.settings import Tracking

NOT_FOUND = (ErrorCode.Name(RESOURCE_DOES_NOT_EXIST), ErrorCode.Name(INVALID_PARAMETER_VALUE))
"""What the client itself raises for a source that the server does not have."""


def connect(tracking: Tracking) -> MlflowClient:
    """Return a client of the tracking server. Asks nothing yet.

    Sets variables of this process's environment, where alone MLflow looks for its CA, time-out and
    retries. With MLflow's defaults (7 retries, 120 s) serving would hang while the tracking server
    is away, and clients would go to the object store, which only the tracking server can reach.
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
    _set_login(tracking)
    return MlflowClient(tracking.uri, tracking.uri)


def _set_login(tracking: Tracking) -> None:
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
    """Raise MLflow's errors in a `with` block as Terna's, one line each.

    Raises:
        TrackingUnreachable: the tracking server does not answer.
        TrackingRefused: it answers, and says no.
    """
    try:
        yield
    except (MlflowException, OSError) as error:
        raise _translated(error, f"The tracking server at {client.tracking_uri}") from error


def _translated(
    error: MlflowException | OSError, server: str
) -> TrackingRefused | TrackingUnreachable:
    if _http_status(error) in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return TrackingRefused(
            f"{server} does not allow this: are TERNA_TRACKING_USER and its password right, and"
            " does the user have the permission?"
        )
    if isinstance(error, RestException) or getattr(error, "error_code", "") in NOT_FOUND:
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

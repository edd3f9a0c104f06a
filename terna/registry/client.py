"""MLflow's client: connect it, and translate its errors into Terna's."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    RESOURCE_DOES_NOT_EXIST,
    ErrorCode,
)

from terna.errors import TrackingRefused, TrackingUnreachable
from terna.security import tls_errors
from terna.settings import Tracking

LOGIN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
"""MLflow's variables of a login."""

NOT_FOUND = (ErrorCode.Name(RESOURCE_DOES_NOT_EXIST), ErrorCode.Name(INVALID_PARAMETER_VALUE))
"""What the client itself raises for a source that the server does not have."""

TOO_MANY = "too many 429 error responses"
"""What the client says after it was locked out and has tried again."""


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
        "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",  # a minute, after wrong passwords
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    os.environ |= _login(tracking, tracking.user, tracking.password)
    return MlflowClient(tracking.uri, tracking.uri)


def log_in_again(tracking: Tracking) -> bool:
    """Take the login's password as it is now; return whether it is another one than before."""
    before = os.environ.get(LOGIN[1])
    os.environ |= _login(tracking, tracking.user, tracking.password)
    return os.environ[LOGIN[1]] != before


@contextmanager
def promoting(tracking: Tracking) -> Iterator[None]:
    """Log in as the one that promotes in a `with` block, and after it as before."""
    user, password = tracking.promoting_user, tracking.promoting_password
    before = {name: os.environ.get(name, "") for name in LOGIN}
    if user:
        os.environ |= _login(tracking, user, password)
    try:
        yield
    finally:
        os.environ |= before


def _login(tracking: Tracking, user: str, password: str) -> dict[str, str]:
    """Return MLflow's variables of a login; without a password if there is none to be found."""
    if not password:
        with suppress(OSError):
            password = (tracking.logins_dir / user).read_text().strip()
    return dict(zip(LOGIN, (user, password), strict=True))


@contextmanager
def translate_errors(client: MlflowClient, login: str = "TERNA_TRACKING") -> Iterator[None]:
    """Raise MLflow's errors in a `with` block as Terna's, one line each.

    Args:
        login: the prefix of the settings of who is logged in.

    Raises:
        TrackingUnreachable: the tracking server does not answer.
        TrackingRefused: it answers, and says no.
    """
    try:
        yield
    except (MlflowException, OSError) as error:
        server = f"The tracking server at {client.tracking_uri}"
        raise _translated(error, server, login) from error


def _translated(
    error: MlflowException | OSError, server: str, login: str
) -> TrackingRefused | TrackingUnreachable:
    if _http_status(error) in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return TrackingRefused(
            f"{server} does not allow this, or has no such thing: are {login}_USER and its password"
            " right, and does the login have the permission?"
        )
    if TOO_MANY in str(error):
        return TrackingRefused(
            f"{server} takes no more wrong passwords: correct {login}_PASSWORD, wait for a minute."
        )
    if isinstance(error, RestException) or getattr(error, "error_code", "") in NOT_FOUND:
        return TrackingRefused(f"{server} refused: {_first_line(error)}")
    why = tls_errors.explain(error) or "Is it running, and is TERNA_TRACKING_URI right?"
    return TrackingUnreachable(f"{server} does not answer. {why}")


def _http_status(error: MlflowException | OSError) -> int | None:
    if isinstance(error, MlflowException):
        return int(error.get_http_status_code())
    return getattr(getattr(error, "response", None), "status_code", None)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]

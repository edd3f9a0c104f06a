"""MLflow's client is connected by settings, and its errors become Terna's."""

import os

import pytest
import requests
from mlflow.exceptions import MlflowException, RestException

from terna.errors import TernaError, TrackingRefused, TrackingUnreachable
from terna.registry.client import connect, translate_errors
from terna.settings import Tracking

TRACKING = Tracking(uri="https://tracking:5000", timeout_seconds=2.4)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))


def http_error(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError("secret", response=response)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (http_error(401), TrackingRefused, "does not allow this"),
        (http_error(403), TrackingRefused, "does not allow this"),
        (http_error(502), TrackingUnreachable, "does not answer"),
        (ConnectionError("secret"), TrackingUnreachable, "does not answer"),
        (MlflowException("secret"), TrackingUnreachable, "does not answer"),
        (
            RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no\nsecret"}),
            TrackingRefused,
            "refused: RESOURCE_DOES_NOT_EXIST: no",
        ),
    ],
    ids=["401", "403", "502", "no connection", "MLflow", "REST"],
)
def test_error_is_one_line_that_names_the_server(
    error: Exception, kind: type[TernaError], text: str
) -> None:
    with pytest.raises(kind, match=text) as raised, translate_errors(connect(TRACKING)):
        raise error
    assert "https://tracking:5000" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_error_that_is_none_of_mlflows_stays_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), translate_errors(connect(TRACKING)):
        raise ZeroDivisionError


def test_client_gives_up_early_and_verifies_with_the_ca() -> None:
    assert connect(TRACKING).tracking_uri == "https://tracking:5000"
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "2"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
    assert os.environ["MLFLOW_TRACKING_SERVER_CERT_PATH"] == str(TRACKING.ca.absolute())


def test_login_is_that_of_the_last_connection() -> None:
    connect(TRACKING.model_copy(update={"user": "serving", "password": "p"}))
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "serving"

    connect(TRACKING)
    assert "MLFLOW_TRACKING_USERNAME" not in os.environ
    assert "MLFLOW_TRACKING_PASSWORD" not in os.environ

"""MLflow's client is connected by settings, and its errors become Terna's."""

import os
from pathlib import Path

import pytest
import requests
from mlflow.exceptions import MlflowException, RestException

from terna.errors import TernaError, TrackingRefused, TrackingUnreachable
from terna.registry.client import TOO_MANY, connect, log_in_again, promoting, translate_errors
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
        (MlflowException(f"secret: {TOO_MANY}"), TrackingRefused, "wait for a minute"),
        (
            RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no\nsecret"}),
            TrackingRefused,
            "refused: RESOURCE_DOES_NOT_EXIST: no",
        ),
    ],
    ids=["401", "403", "502", "no connection", "MLflow", "429", "REST"],
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


def login() -> tuple[str, str]:
    return os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"]


def test_login_is_that_of_the_last_connection() -> None:
    connect(TRACKING.model_copy(update={"user": "serving", "password": "p"}))
    assert login() == ("serving", "p")

    connect(TRACKING.model_copy(update={"user": "health", "password": "q"}))
    assert login() == ("health", "q")


def test_password_that_no_setting_holds_is_in_the_logins_file(tmp_path: Path) -> None:
    (tmp_path / "training").write_text("of training\n")
    (tmp_path / "promoting").write_text("of promoting\n")
    settings = TRACKING.model_copy(update={"logins_dir": tmp_path})

    connect(settings)
    assert login() == ("training", "of training")
    with promoting(settings):
        assert login() == ("promoting", "of promoting")
    assert login() == ("training", "of training")


def test_login_that_nobody_has_a_password_of_has_none(tmp_path: Path) -> None:
    connect(TRACKING.model_copy(update={"user": "maria", "logins_dir": tmp_path}))
    assert login() == ("maria", "")


def test_without_a_promoting_login_the_clients_own_promotes() -> None:
    settings = TRACKING.model_copy(update={"promoting_user": "", "password": "p"})
    connect(settings)
    with promoting(settings):
        assert login() == ("training", "p")


def test_password_is_read_again_where_it_is_in_the_logins_file(tmp_path: Path) -> None:
    tracking = TRACKING.model_copy(update={"user": "serving", "logins_dir": tmp_path})
    (tmp_path / "serving").write_text("the first\n")
    connect(tracking)
    assert not log_in_again(tracking)

    (tmp_path / "serving").write_text("the second\n")
    assert log_in_again(tracking)
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "the second"

"""The gate in front of MLflow's server, with an application behind it that notes what it gets."""

import asyncio
import base64
import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from terna.security.audit import AuditLog
from terna.tracking import request
from terna.tracking.gate import Gate
from terna.tracking.lockout import ATTEMPTS
from terna.tracking.logins import GRANTS
from terna.tracking.routes import RIGHTS, Right

API = "/api/2.0/mlflow"


def ask(app: ASGIApp, method: str, path: str, **of: Any) -> httpx.Response:
    """One request to an application in this process."""

    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://tracking") as client:
            return await client.request(method, path, **of)

    return asyncio.run(answer())


class FakeLogins:
    """A login for each role with its name for a password, and an administrator."""

    def __init__(self) -> None:
        self.asked = 0

    def rights(self, name: str, password: str) -> frozenset[Right] | None:
        self.asked += 1
        known = {**RIGHTS, "admin": frozenset(Right)}
        return known.get(name) if password == name else None


class Behind:
    """The gate's inside: what reached MLflow, and what it answers."""

    def __init__(self, audit: Path) -> None:
        self.reached: list[tuple[str, str, dict[str, Any]]] = []
        self.status = HTTPStatus.OK
        self.logins = FakeLogins()
        self.audit = audit
        routes = [Route("/{path:path}", self._answer, methods=["GET", "POST", "PUT", "DELETE"])]
        self.gate = Gate(Starlette(routes=routes), self.logins, AuditLog(audit))

    async def _answer(self, asked: Request) -> JSONResponse:
        body = await asked.body()
        self.reached.append((asked.method, asked.url.path, request.fields(body)))
        return JSONResponse({}, self.status)

    def ask(self, who: str, method: str, path: str, password: str = "", **of: Any) -> HTTPStatus:
        login = (who, password or who)
        return HTTPStatus(ask(self.gate, method, path, auth=login, **of).status_code)

    def events(self) -> list[dict[str, str]]:
        lines = self.audit.read_text().splitlines() if self.audit.exists() else []
        return [json.loads(line) for line in lines]


@pytest.fixture
def behind(tmp_path: Path) -> Behind:
    return Behind(tmp_path / "audit.jsonl")


def test_request_without_login_reaches_nothing_and_a_browser_asks_for_one(behind: Behind) -> None:
    answer = ask(behind.gate, "GET", "/")
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert not behind.reached
    assert not behind.events()


@pytest.mark.parametrize(
    ("who", "method", "path", "expected"),
    [
        ("health", "GET", "registered-models/search", HTTPStatus.OK),
        ("health", "GET", "runs/get", HTTPStatus.FORBIDDEN),
        ("serving", "POST", "model-versions/set-tag", HTTPStatus.OK),
        ("serving", "POST", "registered-models/alias", HTTPStatus.FORBIDDEN),
        ("serving", "POST", "registered-models/rename", HTTPStatus.FORBIDDEN),
        ("training", "POST", "runs/create", HTTPStatus.OK),
        ("training", "POST", "runs/delete", HTTPStatus.FORBIDDEN),
        ("training", "POST", "registered-models/alias", HTTPStatus.FORBIDDEN),
        ("promoting", "POST", "registered-models/alias", HTTPStatus.OK),
        ("promoting", "POST", "runs/create", HTTPStatus.FORBIDDEN),
        ("admin", "POST", "runs/delete", HTTPStatus.OK),
        ("admin", "GET", "no/such/route", HTTPStatus.NOT_FOUND),
    ],
)
def test_route_is_for_those_who_have_its_right(
    behind: Behind, who: str, method: str, path: str, expected: HTTPStatus
) -> None:
    assert behind.ask(who, method, f"{API}/{path}", json={"name": "churn"}) == expected
    assert bool(behind.reached) == (expected == HTTPStatus.OK)


@pytest.mark.parametrize("who", [*GRANTS, "admin"])
def test_assistant_is_for_nobody(behind: Behind, who: str) -> None:
    path = "/ajax-api/3.0/mlflow/assistant/config"
    assert behind.ask(who, "PUT", path) == HTTPStatus.NOT_FOUND
    assert behind.reached == []


@pytest.mark.parametrize(
    ("path", "body", "passes"),
    [
        ("experiments/create", {"artifact_location": "file:///etc"}, False),
        ("experiments/create", {"artifactLocation": "file:///etc"}, False),
        ("experiments/create", {"artifact_location": "/etc"}, False),
        ("experiments/create", {"artifact_location": "s3://another"}, False),
        ("experiments/create", {"artifact_location": "mlflow-artifacts://host/1"}, False),
        ("experiments/create", {"artifact_location": "mlflow-artifacts:/../1"}, False),
        ("experiments/create", {"artifact_location": "mlflow-artifacts:/1"}, True),
        ("experiments/create", {"artifact_location": ""}, True),
        ("experiments/create", {"name": "x"}, True),
        ("model-versions/create", {"name": "x", "source": "/etc"}, False),
        ("model-versions/create", {"name": "x", "source": "http://elsewhere/1"}, False),
        ("model-versions/create", {"name": "x", "source": "mlflow-artifacts:/1/m"}, True),
        ("model-versions/create", {"name": "x", "source": "models:/m-1"}, True),
        ("model-versions/create", {"name": "x", "source": "runs:/r/model"}, True),
    ],
)
def test_artifacts_are_in_the_configured_store_and_nowhere_else(
    behind: Behind, path: str, body: dict[str, str], passes: bool
) -> None:
    expected = HTTPStatus.OK if passes else HTTPStatus.BAD_REQUEST
    assert behind.ask("training", "POST", f"{API}/{path}", json=body) == expected
    assert behind.ask("training", "POST", f"{API}/{path}", json=json.dumps(body)) == expected
    assert len(behind.reached) == (2 if passes else 0)


def test_body_that_is_checked_has_a_limit(behind: Behind) -> None:
    body = b'{"name": "' + b"x" * request.MOST_BYTES + b'"}'
    asked = behind.ask("training", "POST", f"{API}/experiments/create", content=body)
    assert asked == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert behind.reached == []


def test_promotion_by_alias_moves_the_rest_as_the_same_caller(behind: Behind) -> None:
    body = {"name": "churn", "version": "3", "alias": "production"}
    behind.ask("promoting", "POST", f"{API}/registered-models/alias", json=body)
    moved = [(path.removeprefix(API), asked) for _, path, asked in behind.reached]
    assert moved == [
        ("/registered-models/alias", body),
        (
            "/model-versions/transition-stage",
            {
                "name": "churn",
                "version": "3",
                "stage": "Production",
                "archive_existing_versions": True,
            },
        ),
        ("/registered-models/alias", body),
        ("/registered-models/set-tag", {"name": "churn", "key": "terna.production", "value": "3"}),
    ]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "registered-models/alias", {"name": "churn", "version": "3", "alias": "best"}),
        ("DELETE", "registered-models/alias", {"name": "churn", "alias": "production"}),
        (
            "POST",
            "model-versions/transition-stage",
            {"name": "churn", "version": "3", "stage": "Archived"},
        ),
    ],
)
def test_what_is_no_promotion_moves_nothing_else(
    behind: Behind, method: str, path: str, body: dict[str, str]
) -> None:
    behind.ask("promoting", method, f"{API}/{path}", json=body)
    assert len(behind.reached) == 1


def test_promotion_that_mlflow_refuses_moves_nothing_else(behind: Behind) -> None:
    behind.status = HTTPStatus.NOT_FOUND
    body = {"name": "churn", "version": "3", "alias": "production"}
    assert behind.ask("promoting", "POST", f"{API}/registered-models/alias", json=body) == (
        HTTPStatus.NOT_FOUND
    )
    assert len(behind.reached) == 1
    assert behind.events()[-1]["outcome"] == "failed"


def test_right_password_is_checked_once_until_the_logins_change(behind: Behind) -> None:
    for _ in range(3):
        behind.ask("training", "GET", "/")
    assert behind.logins.asked == 1
    assert [event["action"] for event in behind.events()] == ["log in"]
    behind.gate.forget_logins()
    behind.ask("training", "GET", "/")
    assert behind.logins.asked == 2


def test_caller_who_is_locked_is_told_so_and_nothing_is_hashed(behind: Behind) -> None:
    for _ in range(ATTEMPTS):
        assert behind.ask("training", "GET", "/", "a guess") == HTTPStatus.UNAUTHORIZED
    answer = ask(behind.gate, "GET", "/", auth=("training", "training"))
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert answer.headers["retry-after"] == "60"
    assert behind.logins.asked == ATTEMPTS
    assert behind.ask("admin", "GET", "/") == HTTPStatus.OK


def test_audit_log_that_cannot_be_written_stops_nobody(
    behind: Behind, caplog: pytest.LogCaptureFixture
) -> None:
    behind.audit.mkdir()
    assert behind.ask("training", "GET", "/") == HTTPStatus.OK
    assert "cannot be written" in caplog.text


def test_header_of_a_promotion_is_that_of_its_caller(behind: Behind) -> None:
    """MLflow asks again who it is: nothing is done in another's name."""
    body = {"name": "churn", "version": "3", "alias": "production"}
    seen: list[str] = []

    async def note(scope: Any, receive: Any, send: Any) -> None:
        seen.append(dict(scope["headers"])[b"authorization"].decode())
        await JSONResponse({})(scope, receive, send)

    gate, login = Gate(note, behind.logins, AuditLog(behind.audit)), ("promoting", "promoting")
    ask(gate, "POST", f"{API}/registered-models/alias", json=body, auth=login)
    assert seen == ["Basic " + base64.b64encode(b"promoting:promoting").decode()] * 4

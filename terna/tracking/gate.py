"""The gate in front of MLflow's server: who is not known, or may not do this, gets no further.

MLflow's own basic-auth behind it says which models and experiments a login may read and edit.
"""

import asyncio
import hmac
import logging
import re
import secrets
from http import HTTPStatus
from typing import Any

from cachetools import TTLCache
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from terna.errors import SettingsError
from terna.security.audit import AuditLog
from terna.tracking import lockout, request, routes
from terna.tracking.logins import PASSWORD_CACHE_SECONDS, Logins
from terna.tracking.promotion import complete
from terna.tracking.request import Caller
from terna.tracking.routes import Right, Route

logger = logging.getLogger("terna.tracking")

IN_STORE = re.compile(r"mlflow-artifacts:/(?!/)(?!.*\.\.).*")
"""An artifact that the configured store holds."""

OF_MLFLOW = re.compile(r"(runs|models):/(?!/)(?!.*\.\.).*")
"""An artifact that MLflow itself finds there."""

INVALID = "INVALID_PARAMETER_VALUE"

KNOWN_AT_A_TIME = 10_000
"""Callers whose right passwords are remembered."""


class Refused(Exception):
    """A request that goes no further, answered as MLflow answers errors."""

    def __init__(self, status: HTTPStatus, code: str, message: str, **headers: str) -> None:
        """
        Args:
            code: the name of MLflow's error.
            message: one line for a person.
        """
        super().__init__(message)
        self.response = JSONResponse(
            {"error_code": code, "message": message},
            status,
            {name.replace("_", "-"): value for name, value in headers.items()},
        )


class Gate:
    """An ASGI application that passes on to another what its callers may ask."""

    def __init__(self, app: ASGIApp, logins: Logins, audit: AuditLog) -> None:
        """
        Args:
            app: MLflow's server, with its basic-auth.
        """
        self._app = app
        self._logins = logins
        self._audit = audit
        self._lockout = lockout.Lockout()
        self._known: TTLCache[tuple[Caller, bytes], frozenset[Right]] = TTLCache(
            KNOWN_AT_A_TIME, PASSWORD_CACHE_SECONDS
        )
        self._key = secrets.token_bytes(32)
        self._checking = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an HTTP request on, or refuse it; anything else is no business of MLflow's."""
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")
        try:
            caller, rights = await self._log_in(scope)
            route = self._route(scope, caller, rights)
            if route.event:
                await self._pass_on_and_record(route, caller, scope, receive, send)
            else:
                await self._app(scope, receive, send)
        except Refused as refused:
            await refused.response(scope, receive, send)

    def forget_logins(self) -> None:
        """Check every password anew, as the logins have changed."""
        self._known.clear()

    async def _log_in(self, scope: Scope) -> tuple[Caller, frozenset[Right]]:
        """Return who asks, and what he may do."""
        given = request.credentials(scope)
        if given is None:
            raise _unknown("Log in: this server knows each of its callers.")
        name, password = given
        caller = Caller(name, request.address(scope))
        known = caller, hmac.digest(self._key, password.encode(), "sha256")
        rights = self._known.get(known)
        if rights is None:
            # One at a time: guesses that come together are counted one by one, and cost one core.
            async with self._checking:
                rights = self._known.get(known) or await self._check(caller, password)
                self._known[known] = rights
        return caller, rights

    async def _check(self, caller: Caller, password: str) -> frozenset[Right]:
        if self._lockout.is_locked(caller):
            raise Refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                "REQUEST_LIMIT_EXCEEDED",
                f"Too many wrong passwords of {caller.name}: wait for a minute.",
                retry_after=str(lockout.SECONDS),
            )
        rights = await asyncio.to_thread(self._logins.rights, caller.name, password)
        if rights is None:
            self._lockout.count(caller)
            self._record(caller, "log in", outcome="failed")
            raise _unknown("No such login, or another password.")
        self._lockout.forget(caller)
        self._record(caller, "log in")
        return rights

    def _route(self, scope: Scope, caller: Caller, rights: frozenset[Right]) -> Route:
        """Return the route of a request that is served, and that these rights allow."""
        route = routes.find(scope["method"], scope["path"])
        if route is None:
            raise Refused(
                HTTPStatus.NOT_FOUND, "ENDPOINT_NOT_FOUND", "This part of MLflow is not served."
            )
        if route.right not in rights:
            self._record(caller, route.event or route.right.value, scope["path"], "refused")
            raise Refused(
                HTTPStatus.FORBIDDEN,
                "PERMISSION_DENIED",
                f"The login {caller.name} may not {route.event or route.right.value}.",
            )
        return route

    async def _pass_on_and_record(
        self, route: Route, caller: Caller, scope: Scope, receive: Receive, send: Send
    ) -> None:
        body = await request.read_body(receive)
        if body is None:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, INVALID, "The request's body is too long."
            )
        fields = request.fields(body)
        _check_locations(fields)
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(scope, request.replay(body, receive), keep)
        outcome = _outcome(answer[0]["status"])
        self._record(caller, route.event, request.describe(fields) or scope["path"], outcome)
        if outcome == "ok" and route.right is Right.PROMOTE:
            await complete(self._app, scope, fields)
        for message in answer:
            await send(message)

    def _record(self, caller: Caller, action: str, what: str = "", outcome: str = "ok") -> None:
        try:
            self._audit.record(caller.name, action, what, caller.address, outcome)
        except SettingsError as error:
            logger.error("%s", error)


def _unknown(message: str) -> Refused:
    realm = 'Basic realm="mlflow"'
    return Refused(HTTPStatus.UNAUTHORIZED, "UNAUTHENTICATED", message, www_authenticate=realm)


def _outcome(status: int) -> str:
    if status < HTTPStatus.BAD_REQUEST:
        return "ok"
    return "refused" if status == HTTPStatus.FORBIDDEN else "failed"


def _check_locations(fields: dict[str, Any]) -> None:
    """Refuse artifacts that are elsewhere than in the configured store."""
    location, source = fields.get("artifact_location"), fields.get("source")
    if location and not IN_STORE.fullmatch(str(location)):
        raise Refused(
            HTTPStatus.BAD_REQUEST, INVALID, "artifact_location: mlflow-artifacts:/… or left out."
        )
    if source and not (IN_STORE.fullmatch(str(source)) or OF_MLFLOW.fullmatch(str(source))):
        raise Refused(
            HTTPStatus.BAD_REQUEST, INVALID, "source: mlflow-artifacts:/…, models:/… or runs:/…"
        )

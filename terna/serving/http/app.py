"""The application of one worker: HTTP in and out, by RSGI; no decisions."""

import logging
import re
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Protocol
from urllib.parse import unquote

from terna.contracts.open_inference import HEADER_LENGTH
from terna.errors import (
    InternalError,
    MethodNotAllowed,
    NotFound,
    RequestError,
)
from terna.security.api_keys import Scope
from terna.serving import metrics
from terna.serving.agent.heartbeat import Heartbeat
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http import mlflow_routes, open_inference_routes
from terna.serving.http.authentication import Authenticator
from terna.serving.http.executors import Executors
from terna.serving.http.mlflow_routes import MLflowRoutes
from terna.serving.http.open_inference_routes import OpenInferenceRoutes
from terna.serving.http.request import OTHER, Request, RsgiScope
from terna.serving.http.response import Response
from terna.serving.http.server_routes import ServerRoutes
from terna.serving.http.uploads import Uploads
from terna.serving.logs import RequestLog, RequestRecord
from terna.settings import Serving

logger = logging.getLogger("terna.serving")

Route = Callable[[Request], Awaitable[Response]]
Routes = Mapping[str, Route]
"""By method."""

METHODS = ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")
OPEN = frozenset({"/ping", "/health", "/version", "/v2", "/v2/health/live", "/v2/health/ready"})
"""The routes that ask for no API key: they say nothing about a model but whether one answers."""

METRICS = "/metrics"

FLUSH_SECONDS = 0.25
"""Seconds between two times that counts and log lines are flushed."""

_MODEL = re.compile(
    "/v2/models/(?P<name>[^/]+)(/versions/(?P<version>[^/]+))?(?P<action>/infer|/ready)?"
)


class Loader(Protocol):
    """What keeps the active model up to date: `terna.serving.loader.Loader`."""

    def poll_once(self) -> None:
        """Load the current version, unless it is loaded."""

    def start(self) -> None:
        """Load the current version now, and from then on each that becomes current."""

    def stop(self) -> None:
        """Load nothing more."""


class App:
    """The serving server's application."""

    def __init__(
        self,
        active: ActiveModel,
        serving: Serving,
        loader: Loader,
        authenticator: Authenticator,
        log: RequestLog | None = None,
    ) -> None:
        self.loader = loader
        self._executors = Executors(serving)
        self._uploads = Uploads(serving)
        self._authenticator = authenticator
        self._log = log
        self._counters = metrics.RequestCounters()
        self._mlflow = mlflow = MLflowRoutes(active, self._executors)
        self._open_inference = inference = OpenInferenceRoutes(
            active, self._executors, Heartbeat(serving)
        )
        self._server = server = ServerRoutes(active, self._executors)
        self._routes: Mapping[str, Routes] = {
            "/invocations": {"POST": self._invocations},
            "/ping": _get(mlflow.ping),
            "/health": _get(mlflow.ping),
            "/version": _get(mlflow.version),
            "/docs": _get(server.docs),
            "/openapi.json": _get(server.openapi),
            METRICS: {"GET": self._metrics},
            "/v2": _get(inference.server),
            "/v2/health/live": _get(inference.live),
            "/v2/health/ready": _get(inference.ready),
            "/v2/models": _get(inference.models),
        }

    def __rsgi_init__(self, loop: AbstractEventLoop) -> None:
        self.loader.start()
        self._flush_repeatedly(loop)

    def __rsgi_del__(self, _loop: object) -> None:
        self.loader.stop()
        self.close()
        self._authenticator.close()
        if self._log:
            self._log.flush()

    async def __rsgi__(self, scope: RsgiScope, protocol: Any) -> None:
        start = perf_counter()
        self._counters.in_flight += 1
        request = Request(scope, protocol, self._uploads)
        try:
            response, request_id = await self._respond(request, start), request.id
            protocol.response_bytes(response.status, response.headers(request_id), response.body)
            self._record(request, request_id, response, perf_counter() - start)
        finally:
            self._counters.in_flight -= 1
            if request.held:
                self._uploads.give_back(request.held)

    def close(self) -> None:
        """Stop the executors: no work begins in a thread any more."""
        self._executors.close()

    async def _respond(self, request: Request, start: float) -> Response:
        try:
            handle = self._route(request)
            if request.route not in OPEN:
                self._authenticate(request, start)
            return await handle(request)
        except RequestError as error:
            return _error_response(request, error)
        except Exception as error:  # only its kind is logged: its text may hold customers' data
            logger.error("unexpected %s", type(error).__name__)
            return _error_response(request, InternalError("The server failed on this request."))

    def _authenticate(self, request: Request, now: float) -> None:
        scope = Scope.METRICS if request.route == METRICS else Scope.MODELS
        request.caller = self._authenticator.authenticate(request, scope, now)

    def _route(self, request: Request) -> Route:
        methods = self._routes.get(request.path)
        if methods:
            request.route = request.path
        else:
            methods = self._model_routes(request)
        if request.method not in methods:
            allowed = ", ".join(methods)
            raise MethodNotAllowed(f"This path answers {allowed} only.", allowed)
        return methods[request.method]

    def _model_routes(self, request: Request) -> Routes:
        """Return the routes of `/v2/models/NAME[/versions/NUMBER]`, and of what is below.

        Raises:
            NotFound: the path is none of these.
        """
        found = _MODEL.fullmatch(request.path)
        if found is None:
            raise NotFound(f"There is no such path: ask one of {', '.join(self._routes)}.")
        model, action = (unquote(found["name"]), found["version"]), found["action"] or ""
        request.route = "/v2/models/{name}" + action
        match action:
            case "/infer":
                return {"POST": lambda request: self._infer(*model, request)}
            case "/ready":
                return {"GET": lambda _: self._open_inference.model_ready(*model)}
        return {"GET": lambda _: self._open_inference.metadata(*model)}

    def _record(
        self, request: Request, request_id: str, response: Response, seconds: float
    ) -> None:
        """Count the request, and log it."""
        self._counters.count(request.route, response.status, seconds, response.rows)
        if self._log is None:
            return
        deployment = response.deployment
        self._log.add(
            RequestRecord(
                datetime.now(UTC),
                request_id,
                request.method if request.method in METHODS else OTHER,
                request.route,
                response.status,
                int(seconds * 1e6) / 1e6,  # `round` takes five times as long
                request.size,
                len(response.body),
                response.rows,
                deployment.version.name if deployment else "",
                deployment.version.number if deployment else 0,
                response.backend or (deployment.backend if deployment else ""),
                request.caller,
            )
        )

    def _flush_repeatedly(self, loop: AbstractEventLoop) -> None:
        self._uploads.cancel_late()
        self._authenticator.refresh()
        self._counters.flush()
        if self._log:
            self._log.flush()
        loop.call_later(FLUSH_SECONDS, self._flush_repeatedly, loop)

    async def _invocations(self, request: Request) -> Response:
        content_type, body = request.header("content-type"), await request.body()
        return await self._mlflow.invocations(content_type, body, request.time_limit)

    async def _infer(self, name: str, version: str | None, request: Request) -> Response:
        length = request.header(HEADER_LENGTH)
        body = await request.body()
        return await self._open_inference.infer(name, version, length, body, request.time_limit)

    async def _metrics(self, _request: Request) -> Response:
        self._counters.flush()  # other workers' counts are up to FLUSH_SECONDS old
        return await self._server.metrics()


def _get(handler: Callable[[], Awaitable[Response]]) -> Routes:
    """Return the routes of a path to which nothing is sent."""
    return {"GET": lambda _request: handler()}


def _error_response(request: Request, error: RequestError) -> Response:
    """Return an error in the form of the protocol that the path belongs to."""
    if request.path == "/v2" or request.path.startswith("/v2/"):
        return open_inference_routes.error_response(error)
    return mlflow_routes.error_response(error)

"""HTTP in and out, by RSGI; no decisions.

https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md
"""

import logging
import re
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Protocol
from urllib.parse import unquote
from uuid import uuid4

from terna.contracts.open_inference import HEADER_LENGTH
from terna.errors import (
    InternalError,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    PredictionFailed,
    RequestError,
    UnsupportedMediaType,
)
from terna.serving import metrics
from terna.serving.http.mlflow_routes import Handlers
from terna.serving.http.response import Response
from terna.serving.logs import Line, RequestLog

logger = logging.getLogger("terna.serving")

Route = Callable[["Request"], Awaitable[Response]]

METHODS = ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")
EVERY = 0.25
"""Seconds between two times that counts and log lines are handed on."""

OTHER = "other"
"""What paths and methods without a route are called: they may hold anything."""

_ID = re.compile("[A-Za-z0-9._-]{8,64}")
_MODEL = re.compile(
    "/v2/models/(?P<name>[^/]+)(/versions/(?P<version>[^/]+))?(?P<action>/infer|/ready)?"
)


class Scope(Protocol):
    """What RSGI says of a request."""

    method: str
    path: str
    headers: Any


class Request:
    """One request, its body unread."""

    __slots__ = ("_headers", "_max_body", "_protocol", "method", "path", "route", "size")

    def __init__(self, scope: Scope, protocol: Any, max_body: int) -> None:
        self.method = scope.method
        self.path = scope.path
        self.route = OTHER
        """The path as it is documented, such as `/v2/models/{name}/infer`."""
        self.size = 0
        """Bytes of the body that have been read."""
        self._headers = scope.headers
        self._protocol = protocol
        self._max_body = max_body

    @property
    def id(self) -> str:
        """The caller's own when it is harmless, so that one id follows a request everywhere."""
        said = self.header("x-request-id")
        return said if _ID.fullmatch(said) else uuid4().hex

    def header(self, name: str) -> str:
        said: str | None = self._headers.get(name)
        return said or ""

    async def body(self) -> bytes:
        """Raises `PayloadTooLarge` before more than the limit is held."""
        length = self.header("content-length")
        if not length.isdigit():
            body = await self._in_parts()
        elif int(length) > self._max_body:
            raise self._too_large()
        else:  # HTTP holds a client to its word, and one read takes 40 µs less than a loop
            body = await self._protocol()
        self.size = len(body)
        return body

    async def _in_parts(self) -> bytes:
        chunks, size = [], 0
        async for chunk in self._protocol:
            size += len(chunk)
            if size > self._max_body:
                raise self._too_large()
            chunks.append(chunk)
        return b"".join(chunks)

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"Send at most {self._max_body} bytes at a time: fewer rows.")


class Models(Protocol):
    """What brings them: `Loader`."""

    def look(self) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


class App:
    """The serving server's application."""

    def __init__(
        self, handlers: Handlers, models: Models, max_body: int, log: RequestLog | None = None
    ) -> None:
        self._handlers = handlers
        self.models = models
        self._max_body = max_body
        self._log = log
        self._tally = metrics.RequestCounters()
        self._inference = handlers.inference
        self._routes: Mapping[str, Mapping[str, Route]] = {
            "/invocations": {"POST": self._invocations},
            "/ping": {"GET": self._get(handlers.ping)},
            "/health": {"GET": self._get(handlers.ping)},
            "/version": {"GET": self._get(handlers.version)},
            "/docs": {"GET": self._get(handlers.docs)},
            "/openapi.json": {"GET": self._get(handlers.openapi)},
            "/metrics": {"GET": self._metrics},
            "/v2": {"GET": self._get(handlers.inference.server)},
            "/v2/health/live": {"GET": self._get(handlers.inference.live)},
            "/v2/health/ready": {"GET": self._get(handlers.inference.ready)},
            "/v2/models": {"GET": self._get(handlers.inference.models)},
        }

    def __rsgi_init__(self, loop: AbstractEventLoop) -> None:
        self.models.start()
        self._hand_on(loop)

    def __rsgi_del__(self, _loop: object) -> None:
        self.models.stop()
        self._handlers.close()
        if self._log:
            self._log.flush()

    async def __rsgi__(self, scope: Scope, protocol: Any) -> None:
        began = perf_counter()
        self._tally.in_flight += 1
        try:
            request = Request(scope, protocol, self._max_body)
            answer, request_id = await self._answer(request), request.id
            protocol.response_bytes(answer.status, answer.headers(request_id), answer.body)
            self._tell(request, request_id, answer, perf_counter() - began)
        finally:
            self._tally.in_flight -= 1

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._route(request)(request)
        except RequestError as error:
            if isinstance(error, (PredictionFailed, InternalError)):
                logger.error("the model failed: %s", type(error.__cause__).__name__)
            return self._refusal(request, error)
        except Exception as error:  # its text may hold customers' data: only its kind is told
            logger.error("unexpected %s", type(error).__name__)
            return self._refusal(request, InternalError("The server failed on this request."))

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

    def _model_routes(self, request: Request) -> Mapping[str, Route]:
        """Of `/v2/models/NAME[/versions/NUMBER]`, and what is below."""
        found = _MODEL.fullmatch(request.path)
        if found is None:
            raise NotFound(f"There is no such path: ask one of {', '.join(self._routes)}.")
        named, action = (unquote(found["name"]), found["version"]), found["action"] or ""
        request.route = "/v2/models/{name}" + action
        match action:
            case "/infer":
                return {"POST": lambda request: self._infer(*named, request)}
            case "/ready":
                return {"GET": lambda _: self._inference.model_ready(*named)}
        return {"GET": lambda _: self._inference.metadata(*named)}

    def _refusal(self, request: Request, error: RequestError) -> Response:
        under_v2 = request.path.startswith("/v2")
        return (self._inference if under_v2 else self._handlers).refusal(error)

    def _tell(self, request: Request, request_id: str, answer: Response, seconds: float) -> None:
        """Count the request, and log it."""
        self._tally.count(request.route, answer.status, seconds, answer.rows)
        if self._log is None:
            return
        model = answer.model
        self._log.add(
            Line(
                datetime.now(UTC),
                request_id,
                request.method if request.method in METHODS else OTHER,
                request.route,
                answer.status,
                round(seconds, 6),
                request.size,
                len(answer.body),
                answer.rows,
                model.version.name if model else "",
                model.version.number if model else 0,
                answer.path or (model.path if model else ""),
            )
        )

    def _hand_on(self, loop: AbstractEventLoop) -> None:
        self._tally.hand_on()
        if self._log:
            self._log.flush()
        loop.call_later(EVERY, self._hand_on, loop)

    async def _invocations(self, request: Request) -> Response:
        return await self._handlers.invocations(
            request.header("content-type"), await request.body()
        )

    async def _infer(self, name: str, version: str | None, request: Request) -> Response:
        if request.header("content-encoding") not in ("", "identity"):
            raise UnsupportedMediaType("Send the tensors without compression.")
        length = request.header(HEADER_LENGTH)
        return await self._inference.infer(name, version, length, await request.body())

    async def _metrics(self, _request: Request) -> Response:
        self._tally.hand_on()  # what the others have counted is a quarter of a second old
        return await self._handlers.metrics()

    @staticmethod
    def _get(answer: Callable[[], Awaitable[Response]]) -> Route:
        """A route to which nothing is sent."""
        return lambda _request: answer()

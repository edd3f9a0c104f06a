"""HTTP in and out, by RSGI; no decisions.

https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import unquote

from terna.contracts.errors import (
    InternalError,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    PredictionFailed,
    RequestError,
    UnsupportedMediaType,
)
from terna.contracts.inference import HEADER_LENGTH
from terna.serving.answers import Answer
from terna.serving.handlers import Handlers

logger = logging.getLogger("terna.serving")

Route = Callable[["Request"], Awaitable[Answer]]

_MODEL = re.compile(
    "/v2/models/(?P<name>[^/]+)(/versions/(?P<version>[^/]+))?(/(?P<action>infer|ready))?"
)


class Scope(Protocol):
    """What RSGI says of a request."""

    method: str
    path: str
    headers: Any


class Request:
    """One request, its body unread."""

    def __init__(self, scope: Scope, protocol: Any, max_body: int) -> None:
        self._headers = scope.headers
        self._protocol = protocol
        self._max_body = max_body

    def header(self, name: str) -> str:
        return str(self._headers.get(name) or "")

    async def body(self) -> bytes:
        """Raises `PayloadTooLarge` before more than the limit is held."""
        length = self.header("content-length")
        if length.isdigit():
            # HTTP holds a client to its word, and one read takes 40 µs less than a loop.
            return await self._whole(int(length))
        chunks, size = [], 0
        async for chunk in self._protocol:
            size += len(chunk)
            if size > self._max_body:
                raise self._too_large()
            chunks.append(chunk)
        return b"".join(chunks)

    async def _whole(self, length: int) -> bytes:
        if length > self._max_body:
            raise self._too_large()
        body: bytes = await self._protocol()
        return body

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"Send at most {self._max_body} bytes at a time: fewer rows.")


class Models(Protocol):
    """What brings them: `Loader`."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class App:
    """The serving server's application."""

    def __init__(self, handlers: Handlers, models: Models, max_body: int) -> None:
        self._handlers = handlers
        self._models = models
        self._max_body = max_body
        self._inference = handlers.inference
        self._routes: Mapping[str, Mapping[str, Route]] = {
            "/invocations": {"POST": self._invocations},
            "/ping": {"GET": self._get(handlers.ping)},
            "/health": {"GET": self._get(handlers.ping)},
            "/version": {"GET": self._get(handlers.version)},
            "/docs": {"GET": self._get(handlers.docs)},
            "/openapi.json": {"GET": self._get(handlers.openapi)},
            "/v2": {"GET": self._get(handlers.inference.server)},
            "/v2/health/live": {"GET": self._get(handlers.inference.live)},
            "/v2/health/ready": {"GET": self._get(handlers.inference.ready)},
            "/v2/models": {"GET": self._get(handlers.inference.models)},
        }

    def __rsgi_init__(self, _loop: object) -> None:
        self._models.start()

    def __rsgi_del__(self, _loop: object) -> None:
        self._models.stop()
        self._handlers.close()

    async def __rsgi__(self, scope: Scope, protocol: Any) -> None:
        answer = await self._answer(scope, protocol)
        headers = [("content-type", answer.content_type), *answer.headers]
        protocol.response_bytes(answer.status, headers, answer.body)

    async def _answer(self, scope: Scope, protocol: Any) -> Answer:
        try:
            route = self._route(scope.method, scope.path)
            return await route(Request(scope, protocol, self._max_body))
        except RequestError as error:
            if isinstance(error, (PredictionFailed, InternalError)):
                logger.error("the model failed: %s", type(error.__cause__).__name__)
            return self._refusal(scope, error)
        except Exception as error:  # its text may hold customers' data: only its kind is told
            logger.error("unexpected %s", type(error).__name__)
            return self._refusal(scope, InternalError("The server failed on this request."))

    def _route(self, method: str, path: str) -> Route:
        methods = self._routes.get(path) or self._model_routes(path)
        if not methods:
            raise NotFound(f"There is no such path: ask one of {', '.join(self._routes)}.")
        if method not in methods:
            allowed = ", ".join(methods)
            raise MethodNotAllowed(f"This path answers {allowed} only.", allowed)
        return methods[method]

    def _model_routes(self, path: str) -> Mapping[str, Route]:
        """Of `/v2/models/NAME[/versions/NUMBER]`, and what is below."""
        found = _MODEL.fullmatch(path)
        if found is None:
            return {}
        named = unquote(found["name"]), found["version"]
        match found["action"]:
            case "infer":
                return {"POST": lambda request: self._infer(*named, request)}
            case "ready":
                return {"GET": lambda _: self._inference.model_ready(*named)}
        return {"GET": lambda _: self._inference.metadata(*named)}

    def _refusal(self, scope: Scope, error: RequestError) -> Answer:
        under_v2 = scope.path.startswith("/v2")
        answer = (self._inference if under_v2 else self._handlers).refusal(error)
        if isinstance(error, MethodNotAllowed):
            return answer._replace(headers=(("allow", error.allowed),))
        return answer

    async def _invocations(self, request: Request) -> Answer:
        return await self._handlers.invocations(
            request.header("content-type"), await request.body()
        )

    async def _infer(self, name: str, version: str | None, request: Request) -> Answer:
        if request.header("content-encoding") not in ("", "identity"):
            raise UnsupportedMediaType("Send the tensors without compression.")
        length = request.header(HEADER_LENGTH)
        return await self._inference.infer(name, version, length, await request.body())

    @staticmethod
    def _get(answer: Callable[[], Awaitable[Answer]]) -> Route:
        """A route to which nothing is sent."""
        return lambda _request: answer()

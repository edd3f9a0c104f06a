"""HTTP in and out, by RSGI; no decisions.

https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol

from terna.contracts.errors import (
    InternalError,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    PredictionFailed,
    RequestError,
)
from terna.serving.handlers import Answer, Handlers

logger = logging.getLogger("terna.serving")

Route = Callable[["Request"], Awaitable[Answer]]


class Scope(Protocol):
    """What RSGI says of a request."""

    method: str
    path: str
    headers: Any


class Request:
    """One request, its body unread."""

    def __init__(self, scope: Scope, protocol: Any, max_body: int) -> None:
        self.content_type = str(scope.headers.get("content-type") or "")
        self._length = str(scope.headers.get("content-length") or "")
        self._protocol = protocol
        self._max_body = max_body

    async def body(self) -> bytes:
        """Raises `PayloadTooLarge` before more than the limit is held."""
        if self._length.isdigit() and int(self._length) > self._max_body:
            raise self._too_large()
        chunks, size = [], 0
        async for chunk in self._protocol:
            size += len(chunk)
            if size > self._max_body:
                raise self._too_large()
            chunks.append(chunk)
        return b"".join(chunks)

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"Send at most {self._max_body} bytes at a time: fewer rows.")


class Follower(Protocol):
    """What brings the models: `Watcher`."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class App:
    """The serving server's application."""

    def __init__(self, handlers: Handlers, watcher: Follower, max_body: int) -> None:
        self._handlers = handlers
        self._watcher = watcher
        self._max_body = max_body
        self._routes: dict[str, dict[str, Route]] = {
            "/invocations": {"POST": self._invocations},
            "/ping": {"GET": self._ping},
            "/health": {"GET": self._ping},
            "/version": {"GET": self._version},
        }

    def __rsgi_init__(self, _loop: object) -> None:
        self._watcher.start()

    def __rsgi_del__(self, _loop: object) -> None:
        self._watcher.stop()
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
            return self._refusal(error)
        except Exception as error:  # its text may hold customers' data: only its kind is told
            logger.error("unexpected %s", type(error).__name__)
            return self._refusal(InternalError("The server failed on this request."))

    def _route(self, method: str, path: str) -> Route:
        methods = self._routes.get(path)
        if methods is None:
            raise NotFound(f"There is no such path: ask one of {', '.join(self._routes)}.")
        if method not in methods:
            allowed = ", ".join(methods)
            raise MethodNotAllowed(f"This path answers {allowed} only.", allowed)
        return methods[method]

    def _refusal(self, error: RequestError) -> Answer:
        answer = self._handlers.refusal(error)
        if isinstance(error, MethodNotAllowed):
            return replace(answer, headers=(("allow", error.allowed),))
        return answer

    async def _invocations(self, request: Request) -> Answer:
        return await self._handlers.invocations(request.content_type, await request.body())

    async def _ping(self, _request: Request) -> Answer:
        return await self._handlers.ping()

    async def _version(self, _request: Request) -> Answer:
        return await self._handlers.version()

"""A client that talks to an RSGI application without a server."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

from terna.serving.http.app import App


@dataclass
class Scope:
    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> tuple[int, str, str]:
        document = json.loads(self.body)
        assert set(document) == {"error_code", "message"}
        return self.status, document["error_code"], document["message"]


@dataclass
class Protocol:
    """One request's body, chunk by chunk, and its response."""

    chunks: Iterable[bytes]
    read: int = 0
    answers: list[Answered] = field(default_factory=list)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            self.read += 1
            yield chunk

    async def __call__(self) -> bytes:
        chunks = list(self.chunks)
        self.read += len(chunks)
        return b"".join(chunks)

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.answers.append(Answered(status, dict(headers), body))


@dataclass
class AppClient:
    app: App

    def send(self, method: str, path: str, protocol: Protocol, headers: dict[str, str]) -> Answered:
        asyncio.run(self.app.__rsgi__(Scope(method, path, headers), protocol))
        (answer,) = protocol.answers
        return answer

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answered:
        return self.send(method, path, Protocol([body[:7], body[7:]]), headers or {})

    def get(self, path: str) -> Answered:
        return self.ask("GET", path)

    def post(self, path: str, document: Any) -> Answered:
        body = json.dumps(document).encode()
        return self.ask("POST", path, body, {"content-type": "application/json"})

"""A client that talks to an RSGI application without a server."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import msgspec

from terna.security.api_keys import ApiKey, Scope, digest_of
from terna.security.audit import AuditLog
from terna.serving.http.app import App
from terna.serving.http.authentication import Authenticator

KEY, METRICS_KEY = "test.secret", "monitoring.secret"


def callers(folder: Path | None = None) -> Authenticator:
    """Who may ask: the callers with these keys."""
    folder = folder or Path(mkdtemp(prefix="terna-"))
    keys = [
        ApiKey("test", digest_of(KEY).hex()),
        ApiKey("monitoring", digest_of(METRICS_KEY).hex(), Scope.METRICS),
    ]
    Path(folder, "api-keys.json").write_bytes(msgspec.json.encode(keys))
    authenticator = Authenticator(folder / "api-keys.json", AuditLog(folder / "audit.jsonl"))
    authenticator.refresh()
    return authenticator


@dataclass
class RsgiScope:
    method: str
    path: str
    headers: dict[str, str]
    client: str = "127.0.0.1:50000"


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
        """Send a request with the key of its scope, unless it says otherwise."""
        key = METRICS_KEY if path == "/metrics" else KEY
        headers = {"authorization": f"Bearer {key}"} | headers
        asyncio.run(self.app.__rsgi__(RsgiScope(method, path, headers), protocol))
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

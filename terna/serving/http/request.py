"""A request of RSGI, its body read within limits.

https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md
"""

import re
from asyncio import CancelledError, current_task, sleep
from collections.abc import Awaitable
from random import getrandbits
from typing import Any, Protocol

from granian._granian import RSGIProtocolClosed

from terna.errors import BadRequest, ClientClosedRequest, PayloadTooLarge, RequestTimeout
from terna.serving.http.content_encoding import inflate
from terna.serving.http.uploads import Uploads

SMALL_BODY = 65_536
"""Bytes of the largest body that is read at once, and not counted among the bytes in flight."""

OTHER = "other"
"""The name of any path or method without a route in logs and metrics: they may hold anything."""

TIMEOUT = "x-timeout-seconds"
"""The header by which a client sets a shorter time limit for one request."""

_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_ID = re.compile("[A-Za-z0-9._-]{8,64}")


class RsgiScope(Protocol):
    """The head of a request, as RSGI has it."""

    method: str
    path: str
    headers: Any
    client: str


class Request:
    """One request, its body unread."""

    __slots__ = (
        *("_headers", "_protocol", "_scope", "_uploads"),
        *("caller", "held", "method", "path", "route", "size"),
    )

    def __init__(self, scope: RsgiScope, protocol: Any, uploads: Uploads) -> None:
        """
        Args:
            uploads: the limits of its body.
        """
        self.method = scope.method
        self.path = scope.path
        self.route = OTHER
        """The path as it is documented, such as `/v2/models/{name}/infer`."""
        self.caller = ""
        """The name of its API key."""
        self.size = 0
        """Bytes of the body that have been read."""
        self.held = 0
        """Bytes that it has taken from the budget, to be given back when it has been answered."""
        self._scope = scope
        self._headers = scope.headers
        self._protocol = protocol
        self._uploads = uploads

    @property
    def id(self) -> str:
        """The client's own id if it is harmless, so that both log the same one; else a new one."""
        own = self.header("x-request-id")
        return own if own and _ID.fullmatch(own) else f"{getrandbits(128):032x}"  # no secret

    @property
    def client(self) -> str:
        """The address of the client: as the reverse proxy names it, else the connection's own."""
        return self.header("x-forwarded-for") or self._scope.client.rpartition(":")[0]

    def header(self, name: str) -> str:
        """Return a header's value; empty if there is none."""
        value: str | None = self._headers.get(name)
        return value or ""

    def time_limit(self) -> float | None:
        """Return the seconds that the client waits at most; None if it does not say.

        Raises:
            BadRequest: the header is no positive number.
        """
        header = self.header(TIMEOUT)
        if not header:
            return None
        if not _SECONDS.fullmatch(header) or not float(header):
            raise BadRequest(f"The header {TIMEOUT} must be a positive number of seconds.")
        return float(header)

    async def body(self) -> bytes:
        """Read the body, and inflate it if it is compressed.

        Raises:
            PayloadTooLarge: it is larger than the limit; reading or inflating stops there.
            RequestTimeout: it takes too long to arrive.
            Overloaded: the bodies of other requests hold too many bytes.
            ClientClosedRequest: the client has gone away.
            UnknownEncoding, BadRequest: it cannot be inflated.
        """
        task: Any = current_task()
        self._uploads.begin(task)
        try:
            body = await self._read(self.header("content-length"))
        except RSGIProtocolClosed:
            raise _client_closed() from None
        except CancelledError:
            if not self._uploads.is_late(task):
                raise
            task.uncancel()
            raise self._too_late() from None
        finally:
            self._uploads.end(task)
        self.size = len(body)
        encoding = self.header("content-encoding")
        return await self._inflate(body, encoding) if encoding else body

    def _read(self, length: str) -> Awaitable[bytes]:
        """Return what reads the body, of this declared length; empty if none is declared."""
        size = int(length) if length.isdigit() else None
        if size is None:
            return self._read_chunks()
        if size > self._uploads.max_body:
            raise self._too_large()
        if size > SMALL_BODY:
            return self._read_large(size)
        return self._protocol()  # type: ignore[no-any-return]  # a loop would take 40 µs more

    async def _read_large(self, size: int) -> bytes:
        body = await self._read_chunks()
        if len(body) < size:
            raise _client_closed()
        return body

    async def _read_chunks(self) -> bytes:
        chunks, size = [], 0
        async for chunk in self._protocol:
            size += len(chunk)
            self._check_and_hold(size, len(chunk))
            chunks.append(chunk)
        return b"".join(chunks)

    async def _inflate(self, body: bytes, encoding: str) -> bytes:
        if encoding.lower() == "identity":
            return body
        pieces, size = [], 0
        for piece in inflate(body, encoding):
            size += len(piece)
            self._check_and_hold(size, len(piece))
            pieces.append(piece)
            await sleep(0)
        return b"".join(pieces)

    def _check_and_hold(self, size: int, more: int) -> None:
        """Take the bytes that came last from the budget, for as long as the request lasts."""
        if size > self._uploads.max_body:
            raise self._too_large()
        self._uploads.take(more)
        self.held += more

    def _too_large(self) -> PayloadTooLarge:
        limit = self._uploads.max_body
        return PayloadTooLarge(f"Send at most {limit} bytes at a time: fewer rows.")

    def _too_late(self) -> RequestTimeout:
        timeout = self._uploads.timeout
        return RequestTimeout(f"Send the body within {timeout:g} seconds, or fewer rows at a time.")


def _client_closed() -> ClientClosedRequest:
    return ClientClosedRequest("The client closed the connection before its request was complete.")

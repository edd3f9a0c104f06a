"""Logs as JSON, a line each: what a server says, and which requests it answered.

No line holds anything that a client sent, but the id that it gave its request.
"""

import logging
import logging.config
import os
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any

import msgspec

EVERY = 0.25
"""Seconds between two writes of the request log."""

AT_ONCE = 4096
"""Bytes that a pipe takes whole, so that two processes' lines never mix (PIPE_BUF)."""

KEPT = 100_000
"""Lines kept for a reader that does not read; then the oldest are lost."""


class Line(msgspec.Struct, omit_defaults=True, gc=False):
    """One request that was answered."""

    time: datetime
    request_id: str
    method: str
    route: str
    """As it is documented, such as `/v2/models/{name}/infer`: a path may hold anything."""
    status: int
    seconds: float
    bytes_in: int
    bytes_out: int
    rows: int = 0
    model: str = ""
    version: int = 0
    path: str = ""


class RequestLog:
    """Takes lines without making requests wait, and writes them a little later."""

    def __init__(self, file: int = 1) -> None:
        """
        Args:
            file: a descriptor; standard output.
        """
        self._file = file
        self._lines: deque[Line] = deque(maxlen=KEPT)
        self.add = self._lines.append
        """Takes one line."""
        self._ending = Event()
        self._thread = Thread(target=self._keep_writing, name="request log", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what is left."""
        self._ending.set()
        self._thread.join(EVERY * 4)

    def _keep_writing(self) -> None:
        while not self._ending.wait(EVERY):
            self._write()
        self._write()

    def _write(self) -> None:
        for part in self._parts():
            os.write(self._file, part)

    def _parts(self) -> Iterator[bytes]:
        """What has come, in parts of whole lines."""
        part, encode = b"", msgspec.json.Encoder().encode
        while self._lines:
            line = encode(self._lines.popleft()) + b"\n"
            if part and len(part) + len(line) > AT_ONCE:
                yield part
                part = b""
            part += line
        if part:
            yield part


class Json(logging.Formatter):
    """What a server says, as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        said = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0]:
            said["error"] = record.exc_info[0].__name__  # its text may hold customers' data
        return msgspec.json.encode(said).decode()


CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": Json}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "json",
            "stream": "ext://sys.stderr",
        }
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        # The follower says once that tracking is away; urllib3 would say so at every look.
        "urllib3": {"level": "ERROR"},
    },
}
"""For `logging.config.dictConfig`, in every process of serving."""


def to_stderr() -> None:
    """Say what this process says as JSON."""
    logging.config.dictConfig(CONFIG)

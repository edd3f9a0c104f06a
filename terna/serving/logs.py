"""Logs as JSON, a line each: what a server does, and which requests it answered.

No line holds anything that a client sent, but the id that it gave its request.
"""

import logging
import logging.config
import os
import select
from datetime import UTC, datetime
from typing import Any

import msgspec

PIPE_BUF = 4096
"""Bytes that a pipe takes whole, so that two processes' lines never mix, and that it has room for
when it says that it can be written to: see pipe(7)."""

MAX_LINE_BYTES = 700
"""Bytes of a line, at most: all but its names are numbers."""


class RequestRecord(msgspec.Struct, omit_defaults=True, gc=False):
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
    backend: str = ""


class RequestLog:
    """Collects lines, and writes them whole when there are some, or when it is told to.

    By no thread of its own: waking one up, and taking turns with it, takes as long as answering.
    """

    def __init__(self, file: int = 1) -> None:
        """
        Args:
            file: a descriptor; standard output.
        """
        self._file = file
        self._lines = bytearray()
        self._encode = msgspec.json.Encoder().encode_into
        self._reader = select.poll()
        self._reader.register(file, select.POLLOUT)

    def add(self, record: RequestRecord) -> None:
        """Collect one line."""
        self._encode(record, self._lines, -1)
        self._lines += b"\n"
        if len(self._lines) > PIPE_BUF - MAX_LINE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what has come; it is lost if nobody reads, as no request waits for a reader."""
        if self._lines and self._reader.poll(0):
            os.write(self._file, self._lines)
        self._lines.clear()


class JsonFormatter(logging.Formatter):
    """Formats a log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__  # its text may hold customers' data
        return msgspec.json.encode(line).decode()


CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": JsonFormatter}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "json",
            "stream": "ext://sys.stderr",
        }
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        # The agent says once that tracking is away; urllib3 would say so at every poll.
        "urllib3": {"level": "ERROR"},
    },
}
"""For `logging.config.dictConfig`, in every process of serving."""


def configure() -> None:
    """Write what this process logs to standard error, as JSON."""
    logging.config.dictConfig(CONFIG)

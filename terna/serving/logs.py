"""Logs as JSON, a line each: what a server does, and which requests it answered.

No line holds anything that a client sent, but the id that it gave its request.
"""

import logging
import logging.config
import os
import select
from datetime import UTC, datetime
from typing import Any, TextIO, cast

import msgspec

PIPE_BUF = 4096
"""Bytes that a pipe takes in one piece, so that two processes' lines never mix, and for which it
has room whenever `poll` says that it is writable: see pipe(7)."""

MAX_LINE_BYTES = 700
"""Bytes of a line, at most."""


class RequestRecord(msgspec.Struct, omit_defaults=True, gc=False):
    """One request that was answered."""

    time: datetime
    request_id: str
    method: str
    route: str
    """The path as it is documented, such as `/v2/models/{name}/infer`: a path may hold anything."""
    status: int
    seconds: float
    bytes_in: int
    bytes_out: int
    rows: int = 0
    model: str = ""
    version: int = 0
    backend: str = ""
    caller: str = ""
    """The name of the API key."""


class RequestLog:
    """A buffer of log lines, which are written whole when it is full or flushed.

    It has no thread of its own: switching to one takes as long as answering a request.
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
        """Write the buffered lines, or drop them if nobody reads: no request waits for a reader."""
        if self._lines and self._reader.poll(0):
            os.write(self._file, self._lines)
        self._lines.clear()


class JsonFormatter(logging.Formatter):
    """A formatter of log records as lines of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of JSON, without the text of an exception."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            "logger": record.name,
            "message": _as_utf8(record.getMessage()),
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__  # its text may hold customers' data
        return msgspec.json.encode(line).decode()


def _as_utf8(text: str) -> str:
    """Return a text without lone surrogates, which stand for bytes of a path that are no UTF-8."""
    return text.encode(errors="backslashreplace").decode()


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
        # The agent logs an outage of tracking once; urllib3 would at every poll.
        "urllib3": {"level": "ERROR"},
    },
}
"""For `logging.config.dictConfig`, in every process of serving."""


def configure(stream: TextIO | None = None) -> None:
    """Have this process log to a stream, as JSON; to standard error unless another is given."""
    logging.config.dictConfig(CONFIG)
    if stream:
        for handler in logging.root.handlers:
            cast("logging.StreamHandler[TextIO]", handler).setStream(stream)

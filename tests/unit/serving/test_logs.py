"""Logs are JSON in whole lines, without values that clients sent."""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from terna.serving.logs import PIPE_BUF, JsonFormatter, RequestLog, RequestRecord


def line(request_id: str) -> RequestRecord:
    return RequestRecord(
        time=datetime.now(UTC),
        request_id=request_id,
        method="POST",
        route="/invocations",
        status=200,
        seconds=0.001,
        bytes_in=100,
        bytes_out=10,
        rows=1,
        model="churn",
        version=7,
        backend="compiled",
    )


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        with suppress(OSError):
            os.close(end)


def test_every_request_is_one_line(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    log = RequestLog(writing)
    for number in range(100):
        log.add(line(f"request-{number}"))
    log.flush()
    os.close(writing)

    with os.fdopen(reading) as file:
        lines = [json.loads(text) for text in file]

    assert [entry["request_id"] for entry in lines] == [f"request-{n}" for n in range(100)]
    assert {(entry["model"], entry["version"], entry["backend"]) for entry in lines} == {
        ("churn", 7, "compiled")
    }


def test_lines_are_written_whole_in_parts_of_at_most_pipe_buf(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int]
) -> None:
    parts: list[bytes] = []
    monkeypatch.setattr(os, "write", lambda _, part: parts.append(bytes(part)))
    log = RequestLog(pipe[1])
    longest = line("i" * 64)
    longest.route, longest.model = "/v2/models/{name}/infer", "m" * 250
    for _ in range(1000):
        log.add(longest)
    log.flush()

    assert 1 < len(parts) < 1000
    assert all(len(part) <= PIPE_BUF and part.endswith(b"\n") for part in parts)
    assert b"".join(parts).count(b"\n") == 1000


def test_reader_that_does_not_read_blocks_no_request(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    log = RequestLog(writing)
    for _ in range(10_000):  # many times what a pipe holds
        log.add(line("request"))
    log.flush()

    received = os.read(reading, 10_000_000)
    assert 0 < received.count(b"\n") < 10_000
    assert received.endswith(b"\n")


def test_error_is_logged_by_its_type_without_its_text() -> None:
    try:
        raise ValueError("Ada-Lovelace-0815")
    except ValueError as error:
        failed = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("terna", logging.ERROR, "", 0, "it %s", ("broke",), failed)

    entry = json.loads(JsonFormatter().format(record))

    assert (entry["level"], entry["message"], entry["error"]) == ("ERROR", "it broke", "ValueError")
    assert "Ada" not in json.dumps(entry)


def test_path_that_is_no_utf_8_leaves_the_line_json() -> None:
    path = os.fsdecode(b"/cache/\xff\xe9")
    record = logging.LogRecord("terna", logging.WARNING, "", 0, "%s is gone", (path,), None)
    assert json.loads(JsonFormatter().format(record))["message"] == r"/cache/\udcff\udce9 is gone"

"""Logs are JSON, whole lines, and nothing of a customer's."""

import json
import logging
import os
from datetime import UTC, datetime

from terna.serving.logs import AT_ONCE, Json, Line, RequestLog


def line(request_id: str) -> Line:
    return Line(
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
        path="compiled",
    )


def test_every_request_is_a_line_also_those_of_the_last_moment() -> None:
    reading, writing = os.pipe()
    log = RequestLog(writing)
    log.start()
    for number in range(100):
        log.add(line(f"request-{number}"))
    log.stop()
    os.close(writing)

    with os.fdopen(reading) as file:
        lines = [json.loads(text) for text in file]

    assert [said["request_id"] for said in lines] == [f"request-{n}" for n in range(100)]
    assert {(said["model"], said["version"], said["path"]) for said in lines} == {
        ("churn", 7, "compiled")
    }


def test_lines_are_written_whole_in_parts_that_a_pipe_does_not_mix() -> None:
    log = RequestLog()
    for number in range(1000):
        log.add(line(f"request-{number}"))

    parts = list(log._parts())

    assert len(parts) > 1
    assert all(len(part) <= AT_ONCE and part.endswith(b"\n") for part in parts)
    assert b"".join(parts).count(b"\n") == 1000


def test_an_error_is_logged_by_its_kind_not_by_its_words() -> None:
    try:
        raise ValueError("Ada-Lovelace-0815")
    except ValueError as error:
        failed = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("terna", logging.ERROR, "", 0, "it %s", ("broke",), failed)

    said = json.loads(Json().format(record))

    assert (said["level"], said["message"], said["error"]) == ("ERROR", "it broke", "ValueError")
    assert "Ada" not in json.dumps(said)

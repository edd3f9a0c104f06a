"""What counts as an answer: all of its version's own, over a connection that HTTP keeps."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import pytest

from soak.clients import Answer, Client, Load, Question, Tally, Target, Verdict, verdict_of
from terna.erp.connection import Connection
from terna.errors import TernaError
from terna.security.ca import ensure_certificates

QUESTION = Question(b"{}", {"1": ["no", "no"], "2": ["yes", "no"]})
BODIES = {"1": b'{"predictions":["no","no"]}', "2": b'{"predictions": ["yes", "no"]}'}


@pytest.mark.parametrize("version", ["1", "2"])
def test_response_of_its_own_version_is_good(version: str) -> None:
    assert verdict_of(QUESTION, Answer(200, version, BODIES[version])) is Verdict.GOOD


@pytest.mark.parametrize(
    "body",
    [
        BODIES["2"],
        b'{"predictions": ["no"]}',
        b'{"predictions": ["no", "no", "no"]}',
        b'{"predictions": ["yes", "yes"]}',
        b'{"predictions": ["no", "no"], "more": 1}',
        b"<html>",
        b"",
    ],
)
def test_response_of_another_version_is_mixed_up(body: bytes) -> None:
    assert verdict_of(QUESTION, Answer(200, "1", body)) is Verdict.MIXED_UP


@pytest.mark.parametrize(
    "answer",
    [
        Answer(503, "1", BODIES["1"]),
        Answer(200, "", BODIES["1"]),
        Answer(200, "3", BODIES["1"]),
    ],
)
def test_another_status_and_a_version_that_was_never_promoted_have_failed(answer: Answer) -> None:
    assert verdict_of(QUESTION, answer) is Verdict.FAILED


def test_error_of_a_reverse_proxy_that_lost_its_connection_is_a_lost_request() -> None:
    assert verdict_of(QUESTION, Answer(502, "", b"{}")) is Verdict.LOST


def said(version: str, body: bytes, close: bool = False) -> bytes:
    """One response, as it is on the wire."""
    end = "connection: close\r\n" if close else ""
    head = f"HTTP/1.1 200 OK\r\nx-model-version: {version}\r\ncontent-length: {len(body)}\r\n{end}"
    return f"{head}\r\n".encode() + body


@contextmanager
def asking(connections: Sequence[Sequence[bytes]]) -> Iterator[Client]:
    """A client of a server that says this, a request each, and then ends the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        thread = Thread(target=answer_all, args=(server, connections), daemon=True)
        thread.start()
        connection = HTTPConnection("127.0.0.1", server.getsockname()[1], timeout=30)
        yield Client(connection, "/invocations", {}, [QUESTION])
        connection.close()
        thread.join(30)


def answer_all(server: socket.socket, connections: Sequence[Sequence[bytes]]) -> None:
    for responses in connections:
        connection, _ = server.accept()
        with connection:
            for response in responses:
                asked = b""
                while not asked.endswith(QUESTION.body):
                    asked += connection.recv(65536)
                connection.sendall(response)


def test_each_answer_is_counted_for_the_version_that_gave_it() -> None:
    with asking(
        [[said("1", BODIES["1"]), said("2", BODIES["2"]), said("1", BODIES["2"])]]
    ) as client:
        verdicts = [client.ask() for _ in range(3)]
    assert verdicts == [Verdict.GOOD, Verdict.GOOD, Verdict.MIXED_UP]
    tally = client.taken()
    assert (dict(tally.good), tally.mixed_up, tally.failed) == ({"1": 1, "2": 1}, 1, 0)
    assert tally.requests == 3
    assert client.taken().requests == 0


@pytest.mark.parametrize("cut", [b"", said("1", BODIES["1"])[:5], said("1", BODIES["1"])[:-1]])
def test_lost_connection_is_a_lost_request_and_a_new_one_is_made(
    cut: bytes,
) -> None:
    good, begun = said("1", BODIES["1"]), time.monotonic()
    with asking([[good, cut], [good]]) as client:
        verdicts = [client.ask() for _ in range(3)]
    assert verdicts == [Verdict.GOOD, Verdict.LOST, Verdict.GOOD]
    tally = client.taken()
    (lost,) = tally.lost
    assert (tally.good["1"], tally.failed, tally.requests) == (2, 0, 3)
    assert begun < lost.asked < lost.ended < time.monotonic()


def test_response_whose_head_was_cut_has_failed() -> None:
    with asking([[said("1", BODIES["1"])[:20]]]) as client:
        assert client.ask() is Verdict.FAILED
    assert client.taken().words


def test_connection_closed_as_announced_fails_nothing() -> None:
    good, last = said("1", BODIES["1"]), said("1", BODIES["1"], close=True)
    with asking([[good, last], [good]]) as client:
        verdicts = [client.ask() for _ in range(3)]
    assert verdicts == [Verdict.GOOD] * 3


def a_connection(root: Path, port: int) -> Connection:
    ensure_certificates(root, root / "secrets", ())
    (root / "key").write_text("erp.secret")
    return Connection(f"https://localhost:{port}/", ca=root / "ca.crt", api_key_file=root / "key")


def test_unreachable_server_loses_every_request(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with Load(Target(a_connection(tmp_path, port)), [QUESTION], 2) as load:
        tallies = until_some(load)
        tallies += load.stopped()
    assert sum(len(tally.lost) for tally in tallies) == sum(tally.requests for tally in tallies) > 0
    assert "refused" in tallies[0].lost[0].words


def test_client_process_that_dies_is_an_error(tmp_path: Path) -> None:
    nobody = Target(Connection("https://localhost:1/", ca=tmp_path / "no-ca.crt"))
    with (
        Load(nobody, [QUESTION], 1) as load,
        pytest.raises(TernaError, match="ended by itself"),
    ):
        until_some(load)


def until_some(load: Load) -> list[Tally]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if tallies := load.taken():
            return tallies
    raise AssertionError("no client tells anything")

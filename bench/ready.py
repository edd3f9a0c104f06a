"""How long serving takes from its start to its first answer."""

import time
from collections.abc import Callable

import httpx

from bench import pyfunc_requests, systems
from bench.rounds import Spread
from bench.stage import Model, Stage
from bench.systems import System
from terna.errors import TernaError
from terna.processes import START_SECONDS

PAUSE = 0.02


def seconds(
    stage: Stage, model: Model, starts: int, advance: Callable[[], None]
) -> tuple[Spread, Spread]:
    """Measure with a warm model cache, in seconds.

    Returns:
        From the start of the process to /ping's first 200; and what the first CSV takes, asked once
        /v2/health/ready says that any request would be answered at once.
    """
    with systems.serving(stage, model, "ready") as server:
        server.wait()
    taken = [_once(stage, model, advance) for _ in range(starts)]
    return Spread.of(ready for ready, _ in taken), Spread.of(first for _, first in taken)


def _once(stage: Stage, model: Model, advance: Callable[[], None]) -> tuple[float, float]:
    started = time.monotonic()
    with systems.serving(stage, model, "ready") as server, server.client() as client:
        ready = _seconds_until_ok(server, client, "/ping", started)
        _seconds_until_ok(server, client, "/v2/health/ready", started)
        asked = time.monotonic()
        client.send(pyfunc_requests.csv_request(server)).raise_for_status()
        first = time.monotonic() - asked
    advance()
    return ready, first


def _seconds_until_ok(server: System, client: httpx.Client, path: str, started: float) -> float:
    url = httpx.URL(server.url).copy_with(path=path)
    while not _is_ok(client, url):
        if time.monotonic() - started > START_SECONDS:
            raise TernaError(f"serving is not ready in {START_SECONDS} s.")
        time.sleep(PAUSE)
    return time.monotonic() - started


def _is_ok(client: httpx.Client, url: httpx.URL) -> bool:
    try:
        return client.get(url).status_code == httpx.codes.OK
    except httpx.TransportError:  # nobody listens yet
        return False

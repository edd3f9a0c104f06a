"""How long serving takes from its start to its first answer."""

import time
from collections.abc import Callable

import httpx

from bench import systems
from bench.rounds import Spread
from bench.stage import Model, Stage
from terna.errors import TernaError
from terna.processes import START_SECONDS

PAUSE = 0.02


def seconds(stage: Stage, model: Model, starts: int, advance: Callable[[], None]) -> Spread:
    """Measure from the start of the process to /ping's first 200, with a warm model cache."""
    with systems.serving(stage, model, "ready") as server:
        server.wait()
    return Spread.of([_once(stage, model, advance) for _ in range(starts)])


def _once(stage: Stage, model: Model, advance: Callable[[], None]) -> float:
    started = time.monotonic()
    with systems.serving(stage, model, "ready") as server, server.client() as client:
        ping = httpx.URL(server.url).copy_with(path="/ping")
        while not _is_well(client, ping):
            if time.monotonic() - started > START_SECONDS:
                raise TernaError(f"serving is not ready in {START_SECONDS} s.")
            time.sleep(PAUSE)
        taken = time.monotonic() - started
    advance()
    return taken


def _is_well(client: httpx.Client, ping: httpx.URL) -> bool:
    try:
        return client.get(ping).status_code == httpx.codes.OK
    except httpx.TransportError:  # nobody listens yet
        return False

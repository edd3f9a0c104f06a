"""Workers: when a dead one is restarted, which one hangs, and what of granian that relies on."""

import inspect
import multiprocessing
import time
from asyncio import AbstractEventLoop, new_event_loop
from collections.abc import Iterator

import pytest
from granian.constants import Interfaces
from granian.server.common import AbstractServer, AbstractWorker
from granian.server.mp import MPServer, WorkerProcess

from terna.serving.workers import (
    CHECK_SECONDS,
    HEALTHY_SECONDS,
    LONGEST_PAUSE_SECONDS,
    SILENT_SECONDS,
    Backoff,
    BeatingApp,
    Server,
    Watchdog,
)


def test_worker_that_dies_again_and_again_is_restarted_with_a_growing_pause() -> None:
    backoff = Backoff()

    pauses = [backoff.record_death(lived=1, now=100) for _ in range(9)]

    assert pauses == [0, 0.5, 1, 2, 4, 8, 16, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    assert backoff.due == 100 + LONGEST_PAUSE_SECONDS


def test_worker_that_dies_after_a_long_life_is_restarted_at_once() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.record_death(lived=1, now=100)

    assert backoff.record_death(lived=HEALTHY_SECONDS, now=200) == 0
    assert backoff.record_death(lived=1, now=200) == 0.5


def looked(watchdog: Watchdog, start: float, seconds: float) -> Watchdog:
    """The watchdog after looks at its usual interval."""
    for look in range(int(seconds / CHECK_SECONDS) + 1):
        watchdog.begin(start + look * CHECK_SECONDS)
    return watchdog


def test_worker_is_silent_after_five_seconds_without_a_heartbeat() -> None:
    watchdog = looked(Watchdog(100), 100, 60)

    assert watchdog.is_silent(160 - SILENT_SECONDS - 0.1)
    assert not watchdog.is_silent(160 - SILENT_SECONDS + 0.1)


def test_worker_that_is_still_starting_is_not_silent() -> None:
    assert not looked(Watchdog(100), 100, 60).is_silent(0)


def test_worker_that_slept_with_the_server_gets_time_to_wake_up() -> None:
    watchdog = looked(Watchdog(100), 100, 60)

    watchdog.begin(3600)

    assert not watchdog.is_silent(160)
    assert looked(watchdog, 3600, SILENT_SECONDS + 1).is_silent(160)


class Recorded:
    """An application that notes what it is asked."""

    def __init__(self) -> None:
        self.called: list[object] = []

    async def __rsgi__(self, scope: object, protocol: object) -> None:
        self.called.append((scope, protocol))

    def __rsgi_init__(self, loop: AbstractEventLoop) -> None:
        self.called.append(loop)

    def __rsgi_del__(self, loop: AbstractEventLoop) -> None:
        self.called.append(loop)


@pytest.fixture
def loop() -> Iterator[AbstractEventLoop]:
    loop = new_event_loop()
    yield loop
    loop.close()


def test_application_beats_while_its_event_loop_runs(loop: AbstractEventLoop) -> None:
    app, heartbeat = Recorded(), multiprocessing.RawValue("d", 0.0)
    beating = BeatingApp(app, heartbeat)
    assert heartbeat.value == 0

    beating.__rsgi_init__(loop)
    first = heartbeat.value
    loop.call_later(3 * CHECK_SECONDS, loop.stop)
    loop.run_forever()
    beating.__rsgi_del__(loop)

    assert 0 < first < heartbeat.value <= time.monotonic()
    assert app.called == [loop, loop]


def test_request_goes_to_the_application_without_a_detour() -> None:
    app = Recorded()
    assert BeatingApp(app, multiprocessing.RawValue("d", 0.0)).__rsgi__ == app.__rsgi__


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("_serve_loop", ["self", "spawn_target", "target_loader"]),
        ("_reload", ["self", "spawn_target", "target_loader"]),
        ("_spawn_worker", ["self", "idx", "target", "callback_loader"]),
    ],
)
def test_granian_calls_what_is_replaced_with_these_arguments(
    name: str, parameters: list[str]
) -> None:
    assert list(inspect.signature(getattr(MPServer, name)).parameters) == parameters
    assert f"self.{name}(" in inspect.getsource(AbstractServer)


def test_granian_has_what_its_replacement_reads() -> None:
    server = Server("gone:app", interface=Interfaces.RSGI, workers=3)

    assert (server.wrks, server.interrupt_children) == ([], [])
    assert (server.interrupt_signal, server.reload_signal) == (False, False)
    assert not server.main_loop_interrupt.is_set()
    assert "self.birth = time.monotonic()" in inspect.getsource(AbstractWorker)
    assert all(hasattr(WorkerProcess, name) for name in ("is_alive", "kill", "start"))

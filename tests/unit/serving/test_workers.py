"""Workers: their heartbeat, and what of granian their restart relies on."""

import inspect
import multiprocessing
import time
from asyncio import AbstractEventLoop, new_event_loop
from collections.abc import Iterator
from pathlib import Path

import pytest
from granian.constants import Interfaces
from granian.server.common import AbstractServer, AbstractWorker
from granian.server.mp import MPServer, WorkerProcess

from terna.security.ca import Service, ensure_certificates
from terna.security.renewal import CertificateFiles
from terna.serving.restarts import CHECK_SECONDS
from terna.serving.workers import BeatingApp, Server


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
    assert heartbeat.value == 0
    loop.call_soon(loop.stop)
    loop.run_forever()
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
        ("_spawn_worker", ["self", "idx", "target", "callback_loader"]),
    ],
)
def test_granian_calls_what_is_replaced_with_these_arguments(
    name: str, parameters: list[str]
) -> None:
    assert list(inspect.signature(getattr(MPServer, name)).parameters) == parameters
    assert f"self.{name}(" in inspect.getsource(AbstractServer)


def test_granian_has_what_its_replacement_reads(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, tmp_path, [Service("serving", ("localhost",))])
    files = CertificateFiles(tmp_path / "serving/tls.crt", tmp_path / "serving/tls.key")
    server = Server("gone:app", interface=Interfaces.RSGI, workers=3, certificate=files)

    assert (server.wrks, server.interrupt_children) == ([], [])
    assert (server.interrupt_signal, server.reload_signal) == (False, False)
    assert not server.main_loop_interrupt.is_set()
    assert "self.birth = time.monotonic()" in inspect.getsource(AbstractWorker)
    for name in ("is_alive", "kill", "start", "terminate"):
        assert hasattr(WorkerProcess, name)
    assert "for wrk in self.wrks:" in inspect.getsource(AbstractServer._stop_workers)

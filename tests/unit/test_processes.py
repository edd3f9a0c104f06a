"""Local processes and ports: nothing is left behind."""

import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from terna import processes
from terna.errors import PortTaken, TernaError
from terna.processes import Process, check_free, free_port, terna_command

STUBBORN = "trap '' TERM; sleep 1000 & echo $! > child.part; mv child.part child; wait"
OBEDIENT = (
    "trap 'touch bye; exit' TERM; sleep 1000 & echo $! > child.part; mv child.part child; wait"
)
ORPHANING = "trap '' TERM; sleep 1000 & echo $! > child.part; mv child.part child"


class Stage:
    """Where a shell script plays the part of `terna NAME`."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.log = root / "logs/tracking.log"
        self._program = root / "python"
        self._monkeypatch = monkeypatch
        self.started: list[Process] = []

    def start(self, script: str, **environment: str) -> Process:
        self._program.write_text(f"#!/bin/sh\ncd {self.root}\n{script}\n")
        self._program.chmod(0o700)
        with self._monkeypatch.context() as patched:
            patched.setattr(sys, "executable", str(self._program))
            self.started.append(Process("tracking", environment, self.log, terna_command("track")))
        return self.started[-1]

    def start_family(self, script: str) -> tuple[Process, list[psutil.Process]]:
        """A process that has a child, and both as the system sees them."""
        process = self.start(script)
        process.wait_until((self.root / "child").exists)
        child = psutil.Process(int((self.root / "child").read_text()))
        return process, [psutil.Process(process._process.pid), child]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    stage = Stage(tmp_path, monkeypatch)
    yield stage
    for process in stage.started:
        process.stop()


def ended(family: list[psutil.Process]) -> bool:
    """Whether all end within seconds; PID 1 of a container may leave them as zombies."""
    deadline = time.monotonic() + 10
    while any(map(_runs, family)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(_runs, family))


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_server_runs_as_terna_with_its_settings_and_writes_its_log(stage: Stage) -> None:
    process = stage.start('echo "$@ $TERNA_TRACKING_PORT $PATH"; exit 3', TERNA_TRACKING_PORT="51")

    with pytest.raises(TernaError):
        process.wait_until(lambda: False)

    assert stage.log.read_text().startswith("-m terna track 51 /")


def test_a_process_that_dies_while_starting_names_its_log(stage: Stage) -> None:
    process = stage.start("exit 1")

    with pytest.raises(TernaError, match=f"tracking ended while starting: see {stage.log}"):
        process.wait_until(lambda: False)


def test_a_process_that_never_answers_names_its_log(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "START_SECONDS", 0)
    process = stage.start("sleep 1000")

    with pytest.raises(TernaError, match=f"tracking does not answer: see {stage.log}"):
        process.wait_until(lambda: False)


def test_waiting_ends_when_the_server_answers(stage: Stage) -> None:
    answers = iter([False, True])

    stage.start("sleep 1000").wait_until(lambda: next(answers))

    assert list(answers) == []


def test_a_server_is_asked_to_end_before_it_is_made_to(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 10)
    process, family = stage.start_family(OBEDIENT)

    process.stop()

    assert (stage.root / "bye").exists()
    assert ended(family)


@pytest.mark.parametrize("script", [STUBBORN, ORPHANING], ids=["deaf", "gone before its child"])
def test_a_server_that_does_not_listen_is_ended_with_its_children(
    stage: Stage, script: str
) -> None:
    process, family = stage.start_family(script)

    process.stop()

    assert ended(family)


def test_an_impatient_second_ctrl_c_leaves_nothing_behind(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, family = stage.start_family(STUBBORN)
    wait = process._process.wait

    def impatient(timeout: float | None = None) -> int:
        if timeout:
            raise KeyboardInterrupt
        return wait()

    with monkeypatch.context() as patched:
        patched.setattr(process._process, "wait", impatient)
        with pytest.raises(KeyboardInterrupt):
            process.stop()

    assert ended(family)


def test_stopping_twice_is_harmless(stage: Stage) -> None:
    process = stage.start("exit 0")

    process.stop()
    process.stop()


def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def test_a_taken_port_is_named(taken: int) -> None:
    with pytest.raises(PortTaken, match=f"Port {taken} on 127.0.0.1 is taken"):
        check_free("127.0.0.1", taken)


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost"])
def test_a_port_taken_under_another_name_of_the_host_is_taken(taken: int, host: str) -> None:
    with pytest.raises(PortTaken):
        check_free(host, taken)


@pytest.mark.parametrize("find", [lambda port: check_free("127.0.0.1", port), free_port])
def test_a_port_is_free_as_soon_as_its_server_is_gone(find: Callable[[int], int | None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            listener.accept()[0].close()  # this end closes first, and lingers in TIME_WAIT

    assert find(port) in (None, port)


def test_the_wanted_port_is_taken_if_it_is_free() -> None:
    port = free()

    assert free_port(port) == port


def test_a_free_port_is_found_for_one_that_is_taken(taken: int) -> None:
    port = free_port(taken)

    assert port != taken
    check_free("127.0.0.1", port)


def test_a_port_promised_to_another_server_is_avoided() -> None:
    wanted = free()
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    half = [wanted, *range(low, (low + high) // 2)]

    assert not {free_port(wanted, avoid=half) for _ in range(10)} & set(half)

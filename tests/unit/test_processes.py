"""Local processes: started, waited for and stopped, with nothing left behind."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from terna import processes
from terna.errors import TernaError
from terna.processes import Process, terna_command

A_CHILD = "sleep 1000 & echo $! > child.part; mv child.part child"
IGNORES_SIGTERM = f"trap '' TERM; {A_CHILD}; wait"
ENDS_AT_SIGTERM = f"trap 'touch ended; exit' TERM; {A_CHILD}; wait"
LEAVES_ITS_CHILD = f"trap '' TERM; {A_CHILD}"


class Scripts:
    """Starts shell scripts in place of `terna track`."""

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
        return process, [psutil.Process(process.group), child]


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripts]:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    scripts = Scripts(tmp_path, monkeypatch)
    yield scripts
    for process in scripts.started:
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


def test_process_gets_command_and_environment_and_writes_log(scripts: Scripts) -> None:
    process = scripts.start(
        'echo "$@ $TERNA_TRACKING_PORT $PATH"; exit 3', TERNA_TRACKING_PORT="51"
    )

    with pytest.raises(TernaError):
        process.wait_until(lambda: False)

    assert scripts.log.read_text().startswith("-m terna track 51 /")
    assert scripts.log.stat().st_mode & 0o777 == 0o600


def test_death_while_starting_names_the_log(scripts: Scripts) -> None:
    process = scripts.start("exit 1")

    with pytest.raises(TernaError, match=f"tracking ended while starting: see {scripts.log}"):
        process.wait_until(lambda: False)


def test_no_answer_in_time_names_the_log(scripts: Scripts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "START_SECONDS", 0)
    process = scripts.start("sleep 1000")

    with pytest.raises(TernaError, match=f"tracking does not answer: see {scripts.log}"):
        process.wait_until(lambda: False)


def test_waiting_ends_when_the_process_answers(scripts: Scripts) -> None:
    answers = iter([False, True])

    scripts.start("sleep 1000").wait_until(lambda: next(answers))

    assert list(answers) == []


def test_end_of_a_process_is_waited_for(scripts: Scripts) -> None:
    scripts.start("sleep 0.1; touch done").wait()

    assert (scripts.root / "done").exists()


def test_process_that_fails_names_the_log(scripts: Scripts) -> None:
    with pytest.raises(TernaError, match=f"tracking failed: see {scripts.log}"):
        scripts.start("exit 3").wait()


def test_stop_asks_before_it_forces(scripts: Scripts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 10)
    process, family = scripts.start_family(ENDS_AT_SIGTERM)

    process.stop()

    assert (scripts.root / "ended").exists()
    assert ended(family)


@pytest.mark.parametrize("script", [IGNORES_SIGTERM, LEAVES_ITS_CHILD], ids=["deaf", "orphaning"])
def test_stop_forces_process_and_children_that_ignore_sigterm(
    scripts: Scripts, script: str
) -> None:
    process, family = scripts.start_family(script)

    process.stop()

    assert ended(family)


def test_second_ctrl_c_while_stopping_leaves_nothing_behind(
    scripts: Scripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, family = scripts.start_family(IGNORES_SIGTERM)
    wait = subprocess.Popen.wait

    def interrupted(waiting: "subprocess.Popen[bytes]", timeout: float | None = None) -> int:
        if timeout:
            raise KeyboardInterrupt
        return wait(waiting)

    with monkeypatch.context() as patched:
        patched.setattr(subprocess.Popen, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            process.stop()

    assert ended(family)


def test_second_stop_is_harmless(scripts: Scripts) -> None:
    process = scripts.start("exit 0")

    process.stop()
    process.stop()

    assert not psutil.pid_exists(process.group)


PARENT = """
import subprocess, sys, time
from terna.processes import ending_with_this_process
print(subprocess.Popen(ending_with_this_process(["sleep", "1000"])).pid, flush=True)
time.sleep(1000)
"""

ORPHAN = """
import os, sys, time
from terna.processes import end_with_parent
end_with_parent(os.getppid() if sys.argv[1] == "own" else 1)
print("alive", flush=True)
"""


def test_command_is_killed_when_its_parent_is() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    assert ended([child])


def test_process_whose_parent_died_before_it_asked_is_killed_at_once() -> None:
    runs = {
        parent: subprocess.run(
            [sys.executable, "-c", ORPHAN, parent], capture_output=True, check=False
        )
        for parent in ("own", "another")
    }
    assert (runs["own"].stdout, runs["own"].returncode) == (b"alive\n", 0)
    assert (runs["another"].stdout, runs["another"].returncode) == (b"", -signal.SIGKILL)

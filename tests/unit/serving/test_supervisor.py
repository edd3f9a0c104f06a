"""The process beside the server: restarted when it ends or hangs, ended with the server."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from terna.serving import metrics, supervisor
from terna.serving.agent import heartbeat
from terna.serving.agent.heartbeat import Heartbeat
from terna.serving.supervisor import Supervisor
from terna.settings import Serving

STARTS = 'echo "$$ $* $OMP_NUM_THREADS" >> starts'
"""Each start writes its process id, its arguments and a variable to a line of `starts`."""


class Child:
    """A shell script in place of `terna agent`, and what it has written."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, script: str) -> None:
        program = self.root / "python"
        program.write_text(f"#!/bin/sh\ncd {self.root}\n{script}\n")
        program.chmod(0o700)

    def supervised(self) -> Supervisor:
        """Its supervisor, to whom it hangs when it beats in none of SILENT_SECONDS."""
        serving = Serving(cache_dir=self.root, poll_seconds=0.001, validation_seconds=0.001)
        return Supervisor("agent", Heartbeat(serving))

    @property
    def pid(self) -> int:
        return int(self.starts[-1].split()[0])

    @property
    def starts(self) -> list[str]:
        file = self.root / "starts"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def runs(self) -> bool:
        exists = psutil.pid_exists(self.pid)
        return exists and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Child:
    monkeypatch.setattr(supervisor, "CHECK_SECONDS", 0.02)
    command = [str(tmp_path / "python"), "-m", "terna"]
    monkeypatch.setattr(supervisor, "terna_command", lambda name: [*command, name])
    return Child(tmp_path)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in 10 s"
        time.sleep(0.01)


def test_command_runs_inside_and_is_gone_after(child: Child) -> None:
    child.write(f"{STARTS}; exec sleep 1000")

    with child.supervised():
        wait_until(lambda: len(child.starts) == 1)
        assert child.runs

    assert child.starts[0].split()[1:] == ["-m", "terna", "agent", "1"]
    assert not child.runs


def test_command_that_dies_is_started_again(child: Child) -> None:
    child.write(f"{STARTS}; exit 1")

    with child.supervised():
        wait_until(lambda: len(child.starts) >= 3)


def test_command_that_hangs_is_killed_and_started_again(
    child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "SILENT_SECONDS", 2.0)
    child.write(f"{STARTS}; while :; do touch agent-heartbeat; sleep 0.1; done")

    with child.supervised():
        wait_until(lambda: len(child.starts) == 1)
        stopped = child.pid
        os.kill(stopped, signal.SIGSTOP)
        wait_until(lambda: len(child.starts) == 2)
        assert not psutil.pid_exists(stopped)
        assert child.runs


@pytest.mark.parametrize(
    ("end", "lines"), [("exit 1", 1), ("kill -KILL $$", 1), ("kill -TERM $$", 0), ("exit 130", 0)]
)
def test_death_is_logged_unless_the_command_was_asked_to_end(
    child: Child, caplog: pytest.LogCaptureFixture, end: str, lines: int
) -> None:
    child.write(f"{STARTS}; [ $(wc -l < starts) -gt 1 ] && exec sleep 1000; {end}")

    with child.supervised():
        wait_until(lambda: len(child.starts) == 2)

    assert caplog.text.count("the agent has died: it is restarted in 0.0 s") == lines


def test_restarts_are_counted(child: Child) -> None:
    restarts = metrics.RESTARTS.labels("agent")._value
    before = restarts.get()
    child.write(f"{STARTS}; exit 1")

    with child.supervised():
        wait_until(lambda: len(child.starts) >= 3)

    assert restarts.get() - before == len(child.starts) - 1


def test_command_that_died_is_not_started_after_the_end(child: Child) -> None:
    child.write(f"{STARTS}; exit 1")

    with child.supervised():
        wait_until(lambda: len(child.starts) >= 1)
    time.sleep(0.2)
    starts = len(child.starts)
    time.sleep(0.2)

    assert len(child.starts) == starts


def test_command_is_asked_to_end_before_it_is_forced(child: Child) -> None:
    child.write(f"trap 'touch ended; exit' TERM; {STARTS}; sleep 1000 & wait")

    with child.supervised():
        wait_until(lambda: len(child.starts) == 1)

    assert (child.root / "ended").exists()


def test_command_that_ignores_sigterm_is_killed(
    child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.1)
    child.write(f"trap '' TERM; {STARTS}; while :; do sleep 0.1; done")

    with child.supervised():
        wait_until(lambda: len(child.starts) == 1)

    assert not child.runs

"""The agent's heartbeat: when the agent counts as stuck."""

import os
import time
from pathlib import Path

import pytest

from terna.serving.agent.heartbeat import SILENT_SECONDS, Heartbeat
from terna.settings import Serving

VALIDATION = Serving().validation_seconds


def heartbeat_of(cache: Path, age: float, poll_seconds: float = 2) -> Heartbeat:
    """A heartbeat that was given so many seconds ago."""
    heartbeat = Heartbeat(Serving(cache_dir=cache, poll_seconds=poll_seconds))
    heartbeat.beat()
    (file,) = cache.iterdir()
    os.utime(file, (time.time() - age,) * 2)
    return heartbeat


@pytest.mark.parametrize(
    ("age", "poll_seconds", "recent"),
    [
        (SILENT_SECONDS + VALIDATION + 15, 2, True),
        (SILENT_SECONDS + VALIDATION + 25, 2, False),
        (SILENT_SECONDS + VALIDATION + 95, 10, True),
        (SILENT_SECONDS + VALIDATION + 105, 10, False),
    ],
)
def test_agent_is_stuck_a_minute_after_ten_polls_and_the_longest_validation(
    tmp_path: Path, age: float, poll_seconds: float, recent: bool
) -> None:
    assert heartbeat_of(tmp_path, age, poll_seconds).is_recent() == recent


def test_next_heartbeat_tells_that_the_agent_works_again(tmp_path: Path) -> None:
    heartbeat = heartbeat_of(tmp_path, age=10 * SILENT_SECONDS)

    heartbeat.beat()

    assert heartbeat.is_recent()


def test_agent_that_downloads_works_as_long_as_its_files_grow(tmp_path: Path) -> None:
    heartbeat = heartbeat_of(tmp_path, age=10 * SILENT_SECONDS)
    part = tmp_path / "churn/.part-1-abc/data/model.skops"
    part.parent.mkdir(parents=True)
    part.touch()
    assert heartbeat.is_recent()

    os.utime(part, (time.time() - 10 * SILENT_SECONDS,) * 2)

    assert not heartbeat.is_recent()


def test_without_an_agent_none_is_stuck(tmp_path: Path) -> None:
    assert Heartbeat(Serving(cache_dir=tmp_path)).is_recent()

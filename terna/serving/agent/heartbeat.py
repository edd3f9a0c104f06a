"""The agent's heartbeat: the time of a file in the model cache, by which others see it work."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from terna.serving.cache.model_cache import PART
from terna.settings import Serving

SILENT_SECONDS = 60.0
"""Seconds without a heartbeat after which an agent is stuck, on top of what it may be busy for."""


class Heartbeat:
    """The heartbeat of the agent that keeps a model cache up to date."""

    def __init__(self, serving: Serving) -> None:
        self._cache = serving.cache_dir
        self._file = serving.cache_dir / "agent-heartbeat"
        self.max_silent_seconds = (
            SILENT_SECONDS + 10 * serving.poll_seconds + serving.validation_seconds
        )

    def beat(self) -> None:
        """Say that the agent works."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file.touch()

    def last(self) -> float:
        """Return when the agent was last seen to work, in Unix time; 0 where none was started.

        A file that it downloads, which may take longer than anything else, is such a sign.
        """
        beat = _modified(self._file)
        return max([beat, *map(_modified, self._partial_files())]) if beat else 0.0

    def is_recent(self) -> bool:
        """Return whether the agent works; also where no agent has been started."""
        last = self.last()
        return not last or time.time() - last <= self.max_silent_seconds

    def _partial_files(self) -> Iterator[Path]:
        for part in self._cache.glob(f"*/{PART}*"):
            for folder, _, names in os.walk(part):
                yield from (Path(folder, name) for name in names)


def _modified(file: Path) -> float:
    """Return when a file was changed last; 0 where there is none, or no longer."""
    with suppress(OSError):
        return file.stat().st_mtime
    return 0.0

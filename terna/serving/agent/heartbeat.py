"""The agent's heartbeat: the time of a file in the model cache, by which workers see it work."""

import time

from terna.settings import Serving

SILENT_SECONDS = 60.0
"""Seconds without a heartbeat after which an agent is stuck, on top of what it may be busy for."""


class Heartbeat:
    """The heartbeat of the agent that keeps a model cache up to date."""

    def __init__(self, serving: Serving) -> None:
        self._file = serving.cache_dir / "agent-heartbeat"
        busy = 10 * serving.poll_seconds + serving.validation_seconds
        self._max_silent = SILENT_SECONDS + busy

    def beat(self) -> None:
        """Say that the agent works."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file.touch()

    def is_recent(self) -> bool:
        """Return whether the agent works; also where no agent has been started."""
        try:
            return time.time() - self._file.stat().st_mtime <= self._max_silent
        except FileNotFoundError:
            return True

"""When a process is restarted that died, and which one hangs: for the workers and the agent."""

CHECK_SECONDS = 0.25
"""Seconds between two looks at a process."""

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
"""Seconds before a process that died again is restarted: at first, and at most."""

HEALTHY_SECONDS = 60.0
"""Seconds that a process has to run for its earlier deaths to be forgotten."""


class Backoff:
    """When a process's successor is started: after twice as long each time that one dies soon."""

    def __init__(self) -> None:
        self.due: float | None = None
        """When a successor is to be started; none while a process runs."""
        self._pause = 0.0

    def record_death(self, lived: float, now: float) -> float:
        """Return the seconds until a successor is due, now that a process died after `lived`."""
        pause = 0.0 if lived >= HEALTHY_SECONDS else self._pause
        self._pause = min(max(2 * pause, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        self.due = now + pause
        return pause


class Watchdog:
    """What tells a process that hangs from one that starts, and from a machine that was asleep."""

    def __init__(self, now: float, silent_seconds: float) -> None:
        """
        Args:
            now: the time on the clock of the heartbeats.
            silent_seconds: how long a process that works may give none.
        """
        self._checked = self._awake = now
        self._silent_seconds = silent_seconds

    def begin(self, now: float) -> None:
        """Begin a look at a process; a long time since the last one is the watchdog's own."""
        if now - self._checked > 4 * CHECK_SECONDS:
            self._awake = now
        self._checked = now

    def is_silent(self, heartbeat: float) -> bool:
        """Return whether a process hangs whose last heartbeat was then; 0 for none yet."""
        silent = self._checked - max(heartbeat, self._awake)
        return heartbeat > 0 and silent > self._silent_seconds

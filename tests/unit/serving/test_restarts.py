"""Restarts: when a process that died is started again, and which one hangs."""

from terna.serving.restarts import (
    CHECK_SECONDS,
    HEALTHY_SECONDS,
    LONGEST_PAUSE_SECONDS,
    Backoff,
    Watchdog,
)

SILENT_SECONDS = 5.0


def test_process_that_dies_again_and_again_is_restarted_with_a_growing_pause() -> None:
    backoff = Backoff()

    pauses = [backoff.record_death(lived=1, now=100) for _ in range(9)]

    assert pauses == [0, 0.5, 1, 2, 4, 8, 16, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    assert backoff.due == 100 + LONGEST_PAUSE_SECONDS


def test_process_that_dies_after_a_long_life_is_restarted_at_once() -> None:
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


def test_process_is_silent_after_the_longest_silence_without_a_heartbeat() -> None:
    watchdog = looked(Watchdog(100, SILENT_SECONDS), 100, 60)

    assert watchdog.is_silent(160 - SILENT_SECONDS - 0.1)
    assert not watchdog.is_silent(160 - SILENT_SECONDS + 0.1)


def test_process_that_is_still_starting_is_not_silent() -> None:
    assert not looked(Watchdog(100, SILENT_SECONDS), 100, 60).is_silent(0)


def test_process_that_slept_with_the_server_gets_time_to_wake_up() -> None:
    watchdog = looked(Watchdog(100, SILENT_SECONDS), 100, 60)

    watchdog.begin(3600)

    assert not watchdog.is_silent(160)
    assert looked(watchdog, 3600, SILENT_SECONDS + 1).is_silent(160)

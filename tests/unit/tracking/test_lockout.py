"""Who has to wait after wrong passwords."""

import pytest
from cachetools import TTLCache

from terna.tracking import lockout
from terna.tracking.lockout import ATTEMPTS, SECONDS, Lockout


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, which the test sets."""
    now = [0.0]
    monkeypatch.setattr(
        lockout, "TTLCache", lambda size, ttl: TTLCache(size, ttl, timer=lambda: now[0])
    )
    return now


def guess(lockout: Lockout, times: int, caller: str = "maria") -> None:
    for _ in range(times):
        lockout.count(caller)


def test_fifth_wrong_password_locks_and_the_fourth_does_not() -> None:
    lockout = Lockout()
    guess(lockout, ATTEMPTS - 1)
    assert not lockout.is_locked("maria")
    guess(lockout, 1)
    assert lockout.is_locked("maria")
    assert not lockout.is_locked("jo")


def test_lock_ends_after_a_minute(clock: list[float]) -> None:
    lockout = Lockout()
    guess(lockout, ATTEMPTS)
    clock[0] = SECONDS - 0.1
    assert lockout.is_locked("maria")
    clock[0] = SECONDS
    assert not lockout.is_locked("maria")


def test_right_password_forgets_the_wrong_ones() -> None:
    lockout = Lockout()
    guess(lockout, ATTEMPTS - 1)
    lockout.forget("maria")
    guess(lockout, ATTEMPTS - 1)
    assert not lockout.is_locked("maria")

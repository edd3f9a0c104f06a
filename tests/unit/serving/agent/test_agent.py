"""The process that follows the registry: nothing ends it, and it says each trouble once."""

import logging

import pytest

from terna.errors import TernaError, TrackingRefused, TrackingUnreachable
from terna.serving.agent.agent import Trouble, trouble_of

AWAY = "The tracking server does not answer."


class Troubled:
    """Fails as told, look after look."""

    def __init__(self, *troubles: Exception | None) -> None:
        self._troubles = list(troubles)

    def look(self) -> None:
        if trouble := self._troubles.pop(0):
            raise trouble


def test_each_trouble_is_logged_once_when_it_begins_and_once_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    away, refused = TrackingUnreachable(AWAY), TrackingRefused("It says no.")
    troubles = (away, away, away, refused, refused, None, away, None)
    watcher, trouble = Troubled(*troubles), Trouble()

    for _ in troubles:
        trouble.tell(trouble_of(watcher))

    back = "the tracking server answers again"
    assert caplog.messages == [AWAY, "It says no.", back, AWAY, back]


@pytest.mark.parametrize(
    "error", [TernaError("no"), KeyError("customer 42"), MemoryError(), OSError()]
)
def test_no_trouble_ends_the_process_or_tells_of_a_customer(error: Exception) -> None:
    said = trouble_of(Troubled(error))
    assert said
    assert "customer 42" not in said

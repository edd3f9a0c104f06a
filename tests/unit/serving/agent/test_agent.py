"""The process that follows the registry: nothing ends it, and it logs each outage once."""

import logging

import pytest

from terna.errors import TernaError, TrackingRefused, TrackingUnreachable
from terna.serving.agent.agent import OutageLog, poll

AWAY = "The tracking server does not answer."
AGAIN = "the tracking server answers again"


class Failing:
    """Fails as told, poll after poll."""

    def __init__(self, *errors: Exception | None) -> None:
        self._errors = list(errors)

    def poll_once(self) -> None:
        if error := self._errors.pop(0):
            raise error


def logged(caplog: pytest.LogCaptureFixture, *errors: Exception | None) -> list[str]:
    """What is logged when polls end with these errors."""
    caplog.set_level(logging.INFO)
    reconciler, outages = Failing(*errors), OutageLog()
    for _ in errors:
        outages.record(poll(reconciler))
    return caplog.messages


def test_an_outage_is_logged_once_when_it_begins_and_once_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away, refused = TrackingUnreachable(AWAY), TrackingRefused("It says no.")

    messages = logged(caplog, away, away, away, refused, refused, None, away, None)

    assert messages == [AWAY, "It says no.", AGAIN, AWAY, AGAIN]


@pytest.mark.parametrize(
    ("error", "message"),
    [(KeyError("customer 42"), "unexpected KeyError"), (TernaError("no"), "no")],
)
def test_the_end_of_another_error_says_nothing_of_the_tracking_server(
    caplog: pytest.LogCaptureFixture, error: Exception, message: str
) -> None:
    assert logged(caplog, error, error, None) == [message, "works again"]


@pytest.mark.parametrize("error", [TernaError("no"), KeyError("customer 42"), MemoryError()])
def test_no_error_ends_the_process_or_tells_of_a_customer(
    caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    assert logged(caplog, error)
    assert "customer 42" not in caplog.text

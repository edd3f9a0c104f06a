"""The agent: no error ends it, and it logs each outage once."""

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
        outages.record(poll(reconciler, lambda: False))
    return caplog.messages


def test_outage_is_logged_once_at_its_begin_and_once_at_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away, refused = TrackingUnreachable(AWAY), TrackingRefused("It says no.")

    messages = logged(caplog, away, away, away, refused, refused, None, away, None)

    assert messages == [AWAY, "It says no.", AGAIN, AWAY, AGAIN]


@pytest.mark.parametrize(
    ("error", "message"),
    [(KeyError("customer 42"), "unexpected KeyError"), (TernaError("no"), "no")],
)
def test_end_of_another_error_does_not_name_the_tracking_server(
    caplog: pytest.LogCaptureFixture, error: Exception, message: str
) -> None:
    assert logged(caplog, error, error, None) == [message, "works again"]


@pytest.mark.parametrize("error", [TernaError("no"), KeyError("customer 42"), MemoryError()])
def test_error_does_not_end_the_process_or_log_a_value(
    caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    assert logged(caplog, error)
    assert "customer 42" not in caplog.text


def test_refused_agent_that_finds_another_password_polls_again_at_once() -> None:
    assert poll(Failing(TrackingRefused("It says no."), None), lambda: True) is None


def test_agent_that_is_refused_with_the_other_password_too_says_so() -> None:
    again = TrackingRefused("It still says no.")
    assert poll(Failing(TrackingRefused("It says no."), again), lambda: True) is again

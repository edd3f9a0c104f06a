"""The commands of the tracking server."""

import pytest

from terna.ports import free_port
from terna.settings import Settings, Tracking
from terna.tracking import server, stores
from tests.unit.cli.running import Terna


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Tracking]:
    """The settings of each server that a command runs."""
    served: list[Tracking] = []
    monkeypatch.setattr(server, "serve", lambda tracking, _: served.append(tracking))
    return served


def test_track_on_a_taken_port_does_not_start(
    terna: Terna, served: list[Tracking], taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERNA_TRACKING_PORT", str(taken))

    done = terna("track")

    assert done.code == 1
    assert done.err.startswith(f"error: Port {taken} on 127.0.0.1 is taken")
    assert served == []


def test_track_runs_the_server_with_its_settings(
    terna: Terna, served: list[Tracking], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERNA_TRACKING_PORT", str(free_port()))

    done = terna("track")

    assert done.code == 0, done.err
    assert served == [Settings.load().tracking]


def test_init_stores_gets_the_settings_of_tracking(
    terna: Terna, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Tracking] = []
    monkeypatch.setattr(stores, "ensure_stores", made.append)

    assert terna("init-stores").code == 0
    assert made == [Settings.load().tracking]

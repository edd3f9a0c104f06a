"""The commands of the serving server."""

import pytest

from terna.ports import free_port
from terna.serving import logs, server
from terna.serving.agent import agent
from terna.settings import Serving, Settings
from tests.unit.cli.running import Terna


@pytest.fixture(autouse=True)
def no_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the logging of the tests' own process alone."""
    monkeypatch.setattr(logs, "configure", lambda: None)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Serving]:
    """The settings of each server that a command runs."""
    served: list[Serving] = []
    monkeypatch.setattr(server, "serve", served.append)
    return served


def test_serve_on_a_taken_port_does_not_start(
    terna: Terna, served: list[Serving], taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERNA_SERVING_PORT", str(taken))

    done = terna("serve")

    assert done.code == 1
    assert done.err.startswith(f"error: Port {taken} on 127.0.0.1 is taken")
    assert served == []


def test_serve_runs_the_server_with_its_settings(
    terna: Terna, served: list[Serving], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERNA_SERVING_PORT", str(free_port()))

    done = terna("serve")

    assert done.code == 0, done.err
    assert served == [Settings.load().serving]


def test_agent_follows_the_registry_with_all_settings(
    terna: Terna, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[tuple[object, Serving]] = []
    monkeypatch.setattr(agent, "build", lambda settings: settings)
    monkeypatch.setattr(agent, "run", lambda *given: followed.append(given))

    assert terna("agent").code == 0
    settings = Settings.load()
    assert followed == [(settings, settings.serving)]

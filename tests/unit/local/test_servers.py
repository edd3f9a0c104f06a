"""The servers as local processes: settings, ports, secrets, start and stop."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from terna.errors import TernaError
from terna.local import servers
from terna.local.servers import (
    LocalServers,
    describe_moved_ports,
    ensure_local_secrets,
    local_settings,
)
from terna.ports import free_port
from terna.progress import Advance, Silent
from terna.security import signing
from terna.settings import Audit, Erp, Serving, Settings, Tracking, Training
from tests.ports import free_ports


def on_ports(tracking: int, serving: int) -> Settings:
    return Settings(
        Tracking(port=tracking), Training(trials=7), Serving(port=serving), Erp(), Audit()
    )


@pytest.fixture
def wanted() -> Settings:
    """Settings on two free ports."""
    return on_ports(*free_ports(0, 0))


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def test_free_ports_are_kept_and_known_to_every_server(wanted: Settings, tmp_path: Path) -> None:
    settings = local_settings(tmp_path, wanted)

    assert describe_moved_ports(wanted, settings) == []
    assert settings.tracking.uri == f"https://localhost:{wanted.tracking.port}"
    assert settings.erp.endpoint == f"https://localhost:{wanted.serving.port}/invocations"
    assert settings.training.trials == 7


def test_taken_port_is_replaced_and_described(taken: int, tmp_path: Path) -> None:
    wanted = on_ports(free_port(), taken)

    settings = local_settings(tmp_path, wanted)

    assert settings.serving.port != taken
    assert settings.erp.endpoint == f"https://localhost:{settings.serving.port}/invocations"
    assert describe_moved_ports(wanted, settings) == [
        f"Port {taken} is taken: serving listens on {settings.serving.port}."
    ]


def test_one_port_wanted_twice_is_given_once(tmp_path: Path) -> None:
    port = free_port()

    settings = local_settings(tmp_path, on_ports(port, port))

    assert settings.tracking.port == port
    assert settings.serving.port != port


def test_every_path_is_below_the_root(wanted: Settings, tmp_path: Path) -> None:
    settings = local_settings(tmp_path, wanted)

    values = [v for group in vars(settings).values() for _, v in group if isinstance(v, Path)]
    assert len(values) >= 9
    assert all(path.is_relative_to(tmp_path) for path in values)
    assert str(tmp_path) in settings.tracking.backend_store_uri
    assert str(tmp_path) in settings.tracking.artifacts_destination


def test_signing_keys_made_fit_what_serving_verifies(wanted: Settings, tmp_path: Path) -> None:
    settings = local_settings(tmp_path, wanted)
    model = tmp_path / "model"
    model.mkdir()
    (model / "MLmodel").write_text("a model")

    made = ensure_local_secrets(settings, tmp_path)
    again = ensure_local_secrets(settings, tmp_path)

    assert settings.training.signing_key in made
    assert settings.tracking.logins_dir / "promoting" in made
    assert {tmp_path / "secrets/erp/identity.key", tmp_path / "secrets/erp/users/clerk"} <= {*made}
    assert all(path.is_file() for path in made)
    assert again == []
    signing.sign(model, settings.training.signing_key)
    signing.verify(model, settings.serving.verify_key)
    signing.verify(model, settings.training.signing_public_key)


class FakeProcess:
    """A server's process that only notes what is done to it."""

    def __init__(self, name: str, notes: list[str], failures: Mapping[str, BaseException]) -> None:
        self._name, self._notes, self._failures = name, notes, failures
        self._do("start")

    def wait_until(self, _: Callable[[], bool]) -> None:
        self._do("wait")

    def stop(self) -> None:
        self._do("stop")

    def _do(self, what: str) -> None:
        note = f"{what} {self._name}"
        self._notes.append(note)
        if failure := self._failures.get(note):
            raise failure


class FakeServers:
    """Local servers without processes; `failures` says what fails, such as `wait tracking`."""

    def __init__(self, root: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.notes: list[str] = []
        self.failures: dict[str, BaseException] = {}
        self.environments: dict[str, Mapping[str, str]] = {}
        self.servers = LocalServers(root, local_settings(root, settings), Silent())
        monkeypatch.setattr(servers, "Process", self._start)

    def _start(
        self, name: str, environment: Mapping[str, str], log: Path, command: Sequence[str]
    ) -> FakeProcess:
        assert command[-1] == {"tracking": "track", "serving": "serve"}[name]
        assert log.name == f"{name}.log"
        self.environments[name] = environment
        return FakeProcess(name, self.notes, self.failures)


@pytest.fixture
def fake(wanted: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeServers:
    return FakeServers(tmp_path, wanted, monkeypatch)


STARTED = ["start tracking", "start serving", "wait tracking"]
STOPPED = ["stop serving", "stop tracking"]


def test_both_servers_run_inside_and_are_stopped_after(fake: FakeServers) -> None:
    with fake.servers as up:
        assert fake.notes == STARTED
        settings = up.settings

    assert fake.notes == STARTED + STOPPED
    told = fake.environments["serving"]
    assert told == settings.environment() | {"TERNA_TRACKING_USER": "serving"}


def test_one_server_restarts_while_the_other_keeps_running(fake: FakeServers) -> None:
    with fake.servers as up:
        up.stop("tracking")
        up.start("tracking")
        up.wait("tracking")

    again = ["stop tracking", "start tracking", "wait tracking"]
    assert fake.notes == [*STARTED, *again, "stop tracking", "stop serving"]


@pytest.mark.parametrize("failure", [TernaError("no"), KeyboardInterrupt()])
@pytest.mark.parametrize(
    ("when", "stopped"),
    [("start tracking", []), ("start serving", ["stop tracking"]), ("wait tracking", STOPPED)],
)
def test_failed_start_stops_what_was_started(
    fake: FakeServers, when: str, stopped: list[str], failure: BaseException
) -> None:
    fake.failures[when] = failure

    with pytest.raises(type(failure)), fake.servers:
        pytest.fail("it is not up")

    assert fake.notes == STARTED[: STARTED.index(when) + 1] + stopped


def test_failure_inside_stops_both_servers(fake: FakeServers) -> None:
    with pytest.raises(KeyboardInterrupt), fake.servers:
        raise KeyboardInterrupt

    assert fake.notes == STARTED + STOPPED


def test_servers_stop_where_nobody_reads_what_is_said(fake: FakeServers, tmp_path: Path) -> None:
    class Unread:
        def say(self, text: str) -> None:
            raise BrokenPipeError(text)

        def step(self, label: str, total: int | None = None) -> AbstractContextManager[Advance]:
            raise BrokenPipeError(label, total)

    unread = LocalServers(tmp_path, fake.servers.settings, Unread())
    for name in ("tracking", "serving"):
        unread.start(name)

    with pytest.raises(BrokenPipeError):
        unread.close()

    assert fake.notes[-2:] == STOPPED


def test_interrupted_stop_still_stops_the_others(fake: FakeServers) -> None:
    fake.failures["stop serving"] = KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt), fake.servers:
        pass

    assert fake.notes == STARTED + STOPPED

"""The servers as local processes, put together."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from terna.errors import TernaError
from terna.local import servers
from terna.local.servers import LocalServers, ensure_local_secrets, local_settings, moved_ports
from terna.progress import Silent
from terna.security import signing
from terna.settings import Erp, Serving, Settings, Tracking, Training


def on_ports(tracking: int, serving: int) -> Settings:
    return Settings(Tracking(port=tracking), Training(trials=7), Serving(port=serving), Erp())


def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def wanted() -> Settings:
    """Settings on two free ports."""
    return on_ports(free(), free())


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def test_free_ports_are_kept_and_every_server_knows_where_the_others_are(
    wanted: Settings, tmp_path: Path
) -> None:
    settings = local_settings(tmp_path, wanted)

    assert moved_ports(wanted, settings) == []
    assert settings.tracking.uri == f"https://localhost:{wanted.tracking.port}"
    assert settings.erp.endpoint == f"https://localhost:{wanted.serving.port}/invocations"
    assert settings.training.trials == 7


def test_a_taken_port_is_named_and_another_found(taken: int, tmp_path: Path) -> None:
    wanted = on_ports(free(), taken)

    settings = local_settings(tmp_path, wanted)

    assert settings.serving.port != taken
    assert settings.erp.endpoint == f"https://localhost:{settings.serving.port}/invocations"
    assert moved_ports(wanted, settings) == [
        f"Port {taken} is taken: serving listens on {settings.serving.port}."
    ]


def test_one_port_wanted_twice_is_given_once(tmp_path: Path) -> None:
    port = free()

    settings = local_settings(tmp_path, on_ports(port, port))

    assert settings.tracking.port == port
    assert settings.serving.port != port


def test_everything_stays_below_the_root(wanted: Settings, tmp_path: Path) -> None:
    settings = local_settings(tmp_path, wanted)

    values = [v for group in vars(settings).values() for _, v in group if isinstance(v, Path)]
    assert len(values) >= 9
    assert all(path.is_relative_to(tmp_path) for path in values)
    assert str(tmp_path) in settings.tracking.backend_store_uri
    assert str(tmp_path) in settings.tracking.artifacts_destination


def test_the_keys_that_are_made_sign_what_serving_verifies(
    wanted: Settings, tmp_path: Path
) -> None:
    settings = local_settings(tmp_path, wanted)
    model = tmp_path / "model"
    model.mkdir()
    (model / "MLmodel").write_text("a model")

    made = ensure_local_secrets(settings, tmp_path)
    again = ensure_local_secrets(settings, tmp_path)

    assert settings.training.signing_key in made
    assert all(path.is_file() for path in made)
    assert again == []
    signing.sign(model, settings.training.signing_key)
    signing.verify(model, settings.serving.verify_key)
    signing.verify(model, settings.training.signing_public_key)


class Actor:
    """Plays a server's process, and notes what happens to it."""

    def __init__(self, name: str, notes: list[str], troubles: Mapping[str, BaseException]) -> None:
        self._name, self._notes, self._troubles = name, notes, troubles
        self._do("start")

    def wait_until(self, _: Callable[[], bool]) -> None:
        self._do("wait")

    def stop(self) -> None:
        self._do("stop")

    def _do(self, what: str) -> None:
        note = f"{what} {self._name}"
        self._notes.append(note)
        if trouble := self._troubles.get(note):
            raise trouble


class Theatre:
    """A replica without processes; `troubles` says what goes wrong, such as at `wait tracking`."""

    def __init__(self, root: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.notes: list[str] = []
        self.troubles: dict[str, BaseException] = {}
        self.environments: dict[str, Mapping[str, str]] = {}
        self.replica = LocalServers(root, local_settings(root, settings), Silent())
        monkeypatch.setattr(servers, "Process", self._start)

    def _start(
        self, name: str, environment: Mapping[str, str], log: Path, command: Sequence[str]
    ) -> Actor:
        assert command[-1] == {"tracking": "track", "serving": "serve"}[name]
        assert log.name == f"{name}.log"
        self.environments[name] = environment
        return Actor(name, self.notes, self.troubles)


@pytest.fixture
def theatre(wanted: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Theatre:
    return Theatre(tmp_path, wanted, monkeypatch)


STARTED = ["start tracking", "start serving", "wait tracking"]
STOPPED = ["stop serving", "stop tracking"]


def test_both_servers_are_up_inside_and_gone_after(theatre: Theatre) -> None:
    with theatre.replica as up:
        assert theatre.notes == STARTED
        settings = up.settings

    assert theatre.notes == STARTED + STOPPED
    assert theatre.environments["serving"] == settings.environment()


def test_one_server_is_stopped_and_started_again_while_the_other_goes_on(theatre: Theatre) -> None:
    with theatre.replica as up:
        up.stop("tracking")
        up.start("tracking")
        up.wait("tracking")

    again = ["stop tracking", "start tracking", "wait tracking"]
    assert theatre.notes == [*STARTED, *again, "stop tracking", "stop serving"]


@pytest.mark.parametrize("trouble", [TernaError("no"), KeyboardInterrupt()])
@pytest.mark.parametrize(
    ("when", "stopped"),
    [("start tracking", []), ("start serving", ["stop tracking"]), ("wait tracking", STOPPED)],
)
def test_what_was_started_is_stopped_when_the_start_fails(
    theatre: Theatre, when: str, stopped: list[str], trouble: BaseException
) -> None:
    theatre.troubles[when] = trouble

    with pytest.raises(type(trouble)), theatre.replica:
        pytest.fail("it is not up")

    assert theatre.notes == STARTED[: STARTED.index(when) + 1] + stopped


def test_what_runs_is_stopped_when_the_work_inside_fails(theatre: Theatre) -> None:
    with pytest.raises(KeyboardInterrupt), theatre.replica:
        raise KeyboardInterrupt

    assert theatre.notes == STARTED + STOPPED


def test_the_others_are_stopped_when_stopping_one_is_interrupted(theatre: Theatre) -> None:
    theatre.troubles["stop serving"] = KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt), theatre.replica:
        pass

    assert theatre.notes == STARTED + STOPPED

"""Following the registry: what is promoted there answers here, or says there why not."""

import gc
import json
import logging
import shutil
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from terna.contracts.errors import TernaError, TrackingRefused, TrackingUnreachable
from terna.contracts.version import Version
from tests.unit.serving.conftest import NAME, CountingRegistry, Server2, tamper


def _not_loadable(folder: Path) -> None:
    (folder / "model.skops").unlink()


def _other_answers(folder: Path) -> None:
    file = folder / "reference.json"
    document = json.loads(file.read_text())
    document["predictions"].reverse()
    file.write_text(json.dumps(document))


def _promote_unsigned(server: Server2) -> Version:
    version = server.promote()
    (server.registry.files(version) / "model.sig").unlink()
    return version


def _promote_for_another_run(server: Server2) -> Version:
    version = server.promote()
    moved = Version(NAME, version.number, version.source, "another")
    server.registry.versions[NAME][version.number - 1] = moved
    return moved


BAD: dict[str, tuple[Callable[[Server2], Version], str]] = {
    "unsigned": (_promote_unsigned, "is not what training signed"),
    "tampered with": (Server2.promote_tampered, "is not what training signed"),
    "another model's": (lambda s: s.promote(name="fraud"), "another model or run"),
    "another run's": (_promote_for_another_run, "another model or run"),
    "not loadable": (lambda s: s.promote(change=_not_loadable), "cannot be loaded"),
    "answering otherwise": (lambda s: s.promote(change=_other_answers), "reference rows other"),
}


def test_nothing_is_served_while_nothing_is_in_production(server: Server2) -> None:
    server.watcher.look()
    server.register()
    server.watcher.look()

    assert server.slot.version is None


def test_the_version_in_production_is_served_and_says_so(server: Server2) -> None:
    version = server.promote()

    server.watcher.look()

    assert server.slot.version == version
    assert server.tag(version) == "serving"


def test_the_next_promotion_is_followed_and_the_old_model_freed(server: Server2) -> None:
    server.promote()
    server.watcher.look()
    old = weakref.ref(server.slot.take())
    version = server.promote()

    server.watcher.look()
    gc.collect()

    assert server.slot.version == version
    assert old() is None


def test_a_rollback_is_followed_without_a_download(server: Server2) -> None:
    first = server.promote()
    server.watcher.look()
    server.promote()
    server.watcher.look()

    server.registry.promote(first)
    server.watcher.look()

    assert server.slot.version == first
    assert server.registry.downloads == [1, 2]


@pytest.mark.parametrize("mark", ["aliases", "stages"])
def test_a_promotion_in_the_mlflow_ui_is_followed_and_completed(server: Server2, mark: str) -> None:
    server.promote()
    server.watcher.look()
    version = server.register()
    getattr(server.registry, mark)[NAME] = version.number  # the UI moves only one of the two

    server.watcher.look()

    assert server.slot.version == version
    assert (server.registry.aliases[NAME], server.registry.stages[NAME]) == (2, 2)


def test_a_promotion_is_completed_when_tracking_was_away_just_then(
    server: Server2, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = server.register()
    server.registry.aliases[NAME] = version.number

    def away(_: Version) -> bool:
        raise TrackingUnreachable("The tracking server does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(server.registry, "reconcile", away)
        with pytest.raises(TrackingUnreachable):
            server.watcher.look()
    assert server.slot.version == version

    server.watcher.look()

    assert server.registry.stages[NAME] == version.number
    assert server.tag(version) == "serving"


def test_nothing_is_written_to_the_registry_while_nothing_changes(
    server: Server2, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.promote()
    server.watcher.look()

    def unwanted(*_: object) -> bool:
        raise AssertionError("written again")

    monkeypatch.setattr(server.registry, "tag", unwanted)
    monkeypatch.setattr(server.registry, "reconcile", unwanted)
    server.watcher.look()


def test_a_version_taken_out_of_production_goes_on_until_another_comes(server: Server2) -> None:
    version = server.promote()
    server.watcher.look()
    server.registry.aliases.clear()
    server.registry.stages.clear()

    server.watcher.look()

    assert server.slot.version == version


@pytest.mark.parametrize(("promote_bad", "reason"), BAD.values(), ids=BAD)
def test_a_bad_version_is_refused_with_the_reason_and_the_old_one_goes_on(
    server: Server2, promote_bad: Callable[[Server2], Version], reason: str
) -> None:
    good = server.promote()
    server.watcher.look()
    model = server.slot.take()
    bad = promote_bad(server)

    server.watcher.look()

    assert server.slot.take() is model
    assert server.tag(bad).startswith("refused: ")
    assert reason in server.tag(bad)
    assert server.copies.current(NAME) == good


@pytest.mark.parametrize("promote_bad", [make for make, _ in BAD.values()], ids=BAD)
def test_a_refused_version_is_not_downloaded_again_and_again(
    server: Server2, caplog: pytest.LogCaptureFixture, promote_bad: Callable[[Server2], Version]
) -> None:
    promote_bad(server)

    for _ in range(3):
        server.watcher.look()

    assert server.registry.downloads == [1]
    assert len([r for r in caplog.records if r.levelno == logging.ERROR]) == 1


@pytest.mark.parametrize("promote_bad", [make for make, _ in BAD.values()], ids=BAD)
def test_the_next_good_version_is_taken_after_a_bad_one(
    server: Server2, promote_bad: Callable[[Server2], Version]
) -> None:
    promote_bad(server)
    server.watcher.look()
    good = server.promote()

    server.watcher.look()

    assert server.slot.version == good
    assert server.tag(good) == "serving"


def test_a_refused_version_is_tried_again_when_it_is_promoted_again(server: Server2) -> None:
    good, bad = server.promote(), server.promote_tampered()
    server.watcher.look()
    server.registry.promote(good)
    server.watcher.look()
    shutil.rmtree(server.registry.files(bad))
    server.workshop.make(server.registry.files(bad), bad.run_id)

    server.registry.promote(bad)
    server.watcher.look()

    assert server.slot.version == bad
    assert server.tag(bad) == "serving"


def test_the_promotion_of_a_bad_version_is_not_completed(server: Server2) -> None:
    good = server.promote()
    server.watcher.look()
    bad = server.register(change=_not_loadable)
    server.registry.aliases[NAME] = bad.number  # in the UI: the stage stays with the good one

    server.watcher.look()

    assert server.tag(bad).startswith("refused: ")
    assert server.registry.stages[NAME] == good.number


def test_going_back_from_a_bad_version_to_the_one_that_answers_is_completed(
    server: Server2,
) -> None:
    good = server.promote()
    server.watcher.look()
    server.promote_tampered()
    server.watcher.look()
    server.registry.aliases[NAME] = good.number  # in the UI: the stage stays with the bad one

    server.watcher.look()

    assert server.registry.stages[NAME] == good.number


def test_the_reason_for_a_refusal_is_told_when_tracking_comes_back(
    server: Server2, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = server.promote_tampered()

    def away(*_: object) -> None:
        raise TrackingUnreachable("The tracking server does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(server.registry, "tag", away)
        with pytest.raises(TrackingUnreachable):
            server.watcher.look()
    server.watcher.look()

    assert server.tag(bad).startswith("refused: ")
    assert server.registry.downloads == [1]


def test_the_model_goes_on_while_tracking_is_away(server: Server2) -> None:
    version = server.promote()
    server.watcher.look()
    server.registry.reachable = False

    with pytest.raises(TrackingUnreachable):
        server.watcher.look()

    assert server.slot.version == version


def test_the_verified_local_copy_is_served_without_asking_the_registry(server: Server2) -> None:
    version = server.promote()
    server.watcher.look()
    server.registry.reachable = False
    server.restart()

    server.watcher.restore()

    assert server.slot.version == version


def test_a_new_machine_starts_without_a_model(server: Server2) -> None:
    server.watcher.restore()

    assert server.slot.version is None


def test_a_tampered_local_copy_is_not_served_and_is_thrown_away(
    server: Server2, caplog: pytest.LogCaptureFixture
) -> None:
    version = server.promote()
    server.watcher.look()
    tamper(server.copies.verified(version))
    server.restart()

    server.watcher.restore()

    assert server.slot.version is None
    assert server.kept() == set()
    assert "the local copy is not served" in caplog.text


def test_a_tampered_local_copy_is_replaced_from_the_registry(server: Server2) -> None:
    version = server.promote()
    server.watcher.look()
    tamper(server.copies.verified(version))
    server.restart()
    server.watcher.restore()

    server.watcher.look()

    assert server.slot.version == version


def test_a_folder_that_cannot_be_used_does_not_stop_the_start(
    server: Server2, caplog: pytest.LogCaptureFixture
) -> None:
    server.promote()
    server.watcher.look()
    lock = server.folder / NAME / ".lock"
    lock.unlink()
    lock.mkdir()
    server.restart()

    server.watcher.restore()

    assert server.slot.version is None
    assert "the local copy is not served: unexpected IsADirectoryError" in caplog.text


class Troubled(CountingRegistry):
    """Fails as told, look after look; `asked` is set when the troubles are over."""

    def __init__(self, folder: Path, troubles: list[Exception | None]) -> None:
        super().__init__(folder)
        self._troubles = troubles
        self.over = Event()

    def production(self, name: str) -> Version | None:
        if not self._troubles:
            self.over.set()
            return super().production(name)
        if trouble := self._troubles.pop(0):
            raise trouble
        return super().production(name)


@contextmanager
def following(server: Server2, registry: CountingRegistry) -> Iterator[None]:
    server.restart(registry)
    server.watcher.start()
    try:
        yield
    finally:
        server.watcher.stop()
        server.watcher._thread.join(10)
        assert not server.watcher._thread.is_alive()


AWAY = "The tracking server does not answer."


def test_each_trouble_is_logged_once_when_it_begins_and_once_when_it_ends(
    server: Server2, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    away, refused = TrackingUnreachable(AWAY), TrackingRefused("It says no.")
    troubles: list[Exception | None] = [away, away, away, refused, refused, None, away, None]
    registry = Troubled(server.registry.folder, troubles)

    with following(server, registry):
        assert registry.over.wait(10)

    back = "the tracking server answers again"
    assert caplog.messages == [AWAY, "It says no.", back, AWAY, back]


@pytest.mark.parametrize(
    "trouble",
    [
        TrackingUnreachable(AWAY),
        TernaError("no"),
        KeyError("customer 42"),
        MemoryError(),
        OSError(),
    ],
)
def test_the_registry_is_followed_again_after_any_trouble(
    server: Server2, caplog: pytest.LogCaptureFixture, trouble: Exception
) -> None:
    registry = Troubled(server.registry.folder, [trouble])
    server.registry = registry
    version = server.promote()

    with following(server, registry):
        assert registry.over.wait(10)

    assert server.slot.version == version
    assert "customer 42" not in caplog.text


def test_stopping_does_not_wait_for_the_next_look(server: Server2) -> None:
    registry = Troubled(server.registry.folder, [])
    server.restart(registry, poll=3600)
    server.watcher.start()
    assert registry.over.wait(10)

    server.watcher.stop()
    server.watcher._thread.join(10)

    assert not server.watcher._thread.is_alive()


def test_two_workers_follow_the_same_promotions(server: Server2) -> None:
    one, slot = server.watcher, server.slot
    server.restart()
    other = server.watcher
    for _ in range(3):
        version = server.promote()
        one.look()
        other.look()
        assert (slot.version, server.slot.version) == (version, version)

    assert server.kept() == {2, 3}
    assert server.unfinished() == []

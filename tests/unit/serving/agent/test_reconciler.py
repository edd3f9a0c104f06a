"""The reconciler: a promoted version is served here, or its tag says why not."""

import gc
import json
import logging
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from terna.contracts.version import Version
from terna.errors import TrackingUnreachable
from tests.unit.workshop import NAME, Server2, tamper


def _not_loadable(folder: Path) -> None:
    (folder / "model.skops").write_bytes(b"no model")


def _other_answers(folder: Path) -> None:
    file = folder / "reference.json"
    document = json.loads(file.read_text())
    document["predictions"].reverse()
    file.write_text(json.dumps(document))


def _no_predictions(folder: Path) -> None:
    file = folder / "reference.json"
    document = json.loads(file.read_text())
    del document["predictions"]
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
    "without predictions": (lambda s: s.promote(change=_no_predictions), "no reference rows"),
}


def test_nothing_is_served_without_a_version_in_production(server: Server2) -> None:
    server.poll_once()
    server.register()
    server.poll_once()

    assert server.active.version is None


def test_version_in_production_is_served_and_tagged(server: Server2) -> None:
    version = server.promote()

    server.poll_once()

    assert server.active.version == version
    assert server.tag(version) == "serving"


def test_next_promotion_is_served_and_old_model_is_freed(server: Server2) -> None:
    server.promote()
    server.poll_once()
    old = weakref.ref(server.active.get())
    version = server.promote()

    server.poll_once()
    gc.collect()

    assert server.active.version == version
    assert old() is None


def test_rollback_is_served_without_a_download(server: Server2) -> None:
    first = server.promote()
    server.poll_once()
    server.promote()
    server.poll_once()

    server.registry.promote(first)
    server.poll_once()

    assert server.active.version == first
    assert server.registry.downloads == [1, 2]


@pytest.mark.parametrize("mark", ["aliases", "stages"])
def test_promotion_of_one_of_the_two_alone_is_served(server: Server2, mark: str) -> None:
    server.promote()
    server.poll_once()
    version = server.register()
    getattr(server.registry, mark)[NAME] = version.number  # tracking was killed in between

    server.poll_once()

    assert server.active.version == version


def test_unchanged_production_writes_nothing_to_the_registry(
    server: Server2, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.promote()
    server.poll_once()

    written: list[tuple[object, ...]] = []
    monkeypatch.setattr(server.registry, "tag", lambda *of: written.append(of))
    server.poll_once()

    assert written == []


def test_version_taken_out_of_production_answers_until_the_next_one(server: Server2) -> None:
    version = server.promote()
    server.poll_once()
    server.registry.aliases.clear()
    server.registry.stages.clear()

    server.poll_once()

    assert server.active.version == version


@pytest.mark.parametrize(("promote_bad", "reason"), BAD.values(), ids=BAD)
def test_bad_version_is_rejected_with_reason_and_old_one_answers(
    server: Server2, promote_bad: Callable[[Server2], Version], reason: str
) -> None:
    good = server.promote()
    server.poll_once()
    model = server.active.get()
    bad = promote_bad(server)

    server.poll_once()

    assert server.active.get() is model
    assert server.tag(bad).startswith("rejected: ")
    assert reason in server.tag(bad)
    assert server.models.current(NAME) == good


@pytest.mark.parametrize("promote_bad", [make for make, _ in BAD.values()], ids=BAD)
def test_rejected_version_is_not_downloaded_again(
    server: Server2, caplog: pytest.LogCaptureFixture, promote_bad: Callable[[Server2], Version]
) -> None:
    promote_bad(server)

    for _ in range(3):
        server.poll_once()

    assert server.registry.downloads == [1]
    assert len([r for r in caplog.records if r.levelno == logging.ERROR]) == 1


@pytest.mark.parametrize("promote_bad", [make for make, _ in BAD.values()], ids=BAD)
def test_good_version_after_a_rejected_one_is_served(
    server: Server2, promote_bad: Callable[[Server2], Version]
) -> None:
    promote_bad(server)
    server.poll_once()
    good = server.promote()

    server.poll_once()

    assert server.active.version == good
    assert server.tag(good) == "serving"


def test_rejected_version_promoted_again_is_tried_again(server: Server2) -> None:
    good, bad = server.promote(), server.promote_tampered()
    server.poll_once()
    server.registry.promote(good)
    server.poll_once()
    shutil.rmtree(server.registry.files(bad))
    server.workshop.make(server.registry.files(bad), bad.run_id)

    server.registry.promote(bad)
    server.poll_once()

    assert server.active.version == bad
    assert server.tag(bad) == "serving"


def test_reason_for_rejection_is_tagged_after_an_outage_of_tracking(
    server: Server2, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = server.promote_tampered()

    def away(*_: object) -> None:
        raise TrackingUnreachable("The tracking server does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(server.registry, "tag", away)
        with pytest.raises(TrackingUnreachable):
            server.poll_once()
    server.poll_once()

    assert server.tag(bad).startswith("rejected: ")
    assert server.registry.downloads == [1]


def test_model_answers_during_an_outage_of_tracking(server: Server2) -> None:
    version = server.promote()
    server.poll_once()
    server.registry.reachable = False

    with pytest.raises(TrackingUnreachable):
        server.poll_once()

    assert server.active.version == version


def test_tampered_directory_is_replaced_from_the_registry(server: Server2) -> None:
    version = server.promote()
    server.poll_once()
    tamper(server.models.path_for(version))
    server.compiled_cache.remove(server.models.path_for(version))
    server.restart()
    server.loader.poll_once()

    server.poll_once()

    assert server.active.version == version
    assert server.active.get().backend == "compiled"


def test_directory_removed_by_a_worker_is_downloaded_and_served_again(server: Server2) -> None:
    version = server.promote()
    server.poll_once()
    tamper(server.models.path_for(version))
    server.compiled_cache.remove(server.models.path_for(version))
    server.restart_worker()
    server.loader.poll_once()
    assert server.active.version is None

    server.poll_once()

    assert server.active.version == version

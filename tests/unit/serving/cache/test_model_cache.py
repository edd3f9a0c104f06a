"""The verified local copies: whole or not at all, two of them, shared by all workers."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest

from terna.contracts.version import Version
from terna.errors import SettingsError, SignatureInvalid, TrackingUnreachable
from terna.security import signing
from terna.serving.cache.model_cache import CURRENT, ModelCache
from tests.fakes import MemoryRegistry
from tests.unit.workshop import NAME, Server2, Workshop, tamper

KINDS = {
    "a changed file": tamper,
    "a missing file": lambda folder: (folder / "model.skops").unlink(),
    "a file too many": lambda folder: (folder / "more.py").write_text("print('hello')"),
    "no signature": lambda folder: (folder / "model.sig").unlink(),
}


def test_a_version_is_downloaded_once_as_it_was_signed(server: Server2) -> None:
    version = server.register()

    first = server.models.fetch(version, server.registry)
    second = server.models.fetch(version, server.registry)

    assert first == second
    assert server.registry.downloads == [1]
    original = server.registry.files(version)
    assert {f.name: f.read_bytes() for f in first.iterdir()} == {
        f.name: f.read_bytes() for f in original.iterdir()
    }


@pytest.mark.parametrize("damage", KINDS.values(), ids=KINDS)
def test_a_version_that_is_not_what_training_signed_leaves_nothing_here(
    server: Server2, damage: Callable[[Path], object]
) -> None:
    version = server.register()
    damage(server.registry.files(version))

    with pytest.raises(SignatureInvalid):
        server.models.fetch(version, server.registry)

    assert server.kept() == set()
    assert server.unfinished() == []


@pytest.mark.parametrize("damage", KINDS.values(), ids=KINDS)
def test_a_damaged_local_copy_is_thrown_away(
    server: Server2, damage: Callable[[Path], object]
) -> None:
    version = server.register()
    damage(server.models.fetch(version, server.registry))

    with pytest.raises(SignatureInvalid):
        server.models.verified(version)

    assert server.kept() == set()


def test_a_damaged_local_copy_is_downloaded_again(server: Server2) -> None:
    version = server.register()
    tamper(server.models.fetch(version, server.registry))

    signing.verify(server.models.fetch(version, server.registry), server.workshop.public_key)

    assert server.registry.downloads == [1, 1]


def test_a_missing_key_refuses_a_copy_but_does_not_throw_it_away(
    server: Server2, tmp_path: Path
) -> None:
    version = server.register()
    folder = server.models.fetch(version, server.registry)

    with pytest.raises(SettingsError):
        ModelCache(server.folder, tmp_path / "no.pub").verified(version)

    assert folder.is_dir()


class Breaking(MemoryRegistry):
    """Its connection breaks in the middle of a download."""

    def download(self, version: Version, folder: Path) -> None:
        shutil.copy(self.files(version) / "MLmodel", folder)
        raise TrackingUnreachable("The tracking server does not answer.")


def test_a_download_that_breaks_off_leaves_nothing_here(server: Server2) -> None:
    version = server.register()

    with pytest.raises(TrackingUnreachable):
        server.models.fetch(version, Breaking(server.registry.folder))

    assert server.kept() == set()
    assert server.unfinished() == []


def test_what_a_killed_download_left_is_removed_and_the_copies_stay(server: Server2) -> None:
    version = server.register()
    folder = server.models.fetch(version, server.registry)
    shutil.copytree(folder, folder.with_name(".part-x1"))

    server.models.remove_partial_downloads()

    assert server.unfinished() == []
    assert server.models.verified(version) == folder


def test_nothing_unfinished_is_found_on_a_new_machine(server: Server2) -> None:
    server.models.remove_partial_downloads()

    assert server.unfinished() == []


class Rendezvous(MemoryRegistry):
    """Lets two downloads begin and end together."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._barrier = Barrier(2, timeout=10)

    def download(self, version: Version, folder: Path) -> None:
        self._barrier.wait()
        super().download(version, folder)
        self._barrier.wait()


def test_two_workers_that_fetch_at_once_both_get_the_whole_version(server: Server2) -> None:
    version = server.register()
    registry = Rendezvous(server.registry.folder)

    with ThreadPoolExecutor(2) as workers:
        fetched = [workers.submit(server.worker().fetch, version, registry) for _ in range(2)]

    folders = {future.result() for future in fetched}
    assert len(folders) == 1
    signing.verify(folders.pop(), server.workshop.public_key)
    assert server.unfinished() == []


def test_two_workers_that_keep_at_once_both_succeed(server: Server2) -> None:
    versions = [server.register(), server.register()]
    for version in versions:
        server.models.fetch(version, server.registry)

    with ThreadPoolExecutor(8) as workers:
        kept = [workers.submit(server.worker().set_current, versions[i % 2]) for i in range(100)]

    assert [future.result() for future in kept] == [None] * 100
    assert server.models.current(NAME) in versions
    assert server.unfinished() == []


def test_a_worker_that_checks_a_damaged_copy_spares_the_good_one_of_another(
    server: Server2, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = server.register()
    tamper(server.models.fetch(version, server.registry))
    checking, go_on, verify = Event(), Event(), signing.verify

    def slowly(model: Path, public_key: Path) -> None:
        try:
            verify(model, public_key)
        except SignatureInvalid:
            if model.exists() and not checking.is_set():
                checking.set()
                go_on.wait(0.2)  # the other one may overtake here, unless it has to wait
            raise

    monkeypatch.setattr(signing, "verify", slowly)
    with ThreadPoolExecutor(2) as workers:
        slow = workers.submit(server.worker().verified, version)
        assert checking.wait(10)
        fast = workers.submit(server.worker().fetch, version, server.registry)
        fast.add_done_callback(lambda _: go_on.set())

    with pytest.raises(SignatureInvalid):
        slow.result()
    verify(fast.result(), server.workshop.public_key)


def test_at_most_two_copies_are_kept_the_served_one_and_the_one_before(server: Server2) -> None:
    for _ in range(4):
        version = server.register()
        server.models.fetch(version, server.registry)
        server.models.set_current(version)

    assert server.kept() == {3, 4}


def test_a_rollback_keeps_the_version_it_went_back_to(server: Server2) -> None:
    versions = [server.register() for _ in range(3)]
    for version in (versions[0], versions[1], versions[0], versions[2]):
        server.models.fetch(version, server.registry)
        server.models.set_current(version)

    assert server.kept() == {1, 3}
    assert server.registry.downloads == [1, 2, 3]


def test_versions_that_never_serve_do_not_push_out_the_one_that_does(server: Server2) -> None:
    serving = server.register()
    server.models.fetch(serving, server.registry)
    server.models.set_current(serving)

    for _ in range(3):
        server.models.fetch(server.register(), server.registry)

    assert server.kept() == {1, 4}


def test_of_the_others_the_one_fetched_last_is_kept_whatever_its_number(server: Server2) -> None:
    serving, second, third = (server.register() for _ in range(3))
    server.models.fetch(serving, server.registry)
    server.models.set_current(serving)

    server.models.fetch(third, server.registry)
    server.models.fetch(second, server.registry)

    assert server.kept() == {1, 2}


def test_the_version_served_last_is_known_to_the_next_worker(server: Server2) -> None:
    version = server.register()
    server.models.fetch(version, server.registry)
    server.models.set_current(version)

    assert server.worker().current(NAME) == version


def test_a_worker_that_lags_behind_does_not_take_back_the_note_of_the_others(
    server: Server2,
) -> None:
    versions = [server.register() for _ in range(3)]
    for version in versions:
        server.models.fetch(version, server.registry)
        server.models.set_current(version)

    server.worker().set_current(versions[0])

    assert server.models.current(NAME) == versions[2]


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"\xff",
        b'{"name": "churn", "number": 1, "source": "", "more": 2}',
        b'{"name": "../fraud", "number": 1, "source": "", "run_id": ""}',
        b'{"name": 1, "number": 1, "source": "", "run_id": ""}',
    ],
)
def test_a_broken_note_of_the_version_served_last_is_as_good_as_none(
    server: Server2, note: bytes
) -> None:
    (server.folder / NAME).mkdir(parents=True)
    (server.folder / NAME / CURRENT).write_bytes(note)

    assert server.models.current(NAME) is None


def test_a_registry_made_anew_is_not_confused_with_the_one_before(
    server: Server2, workshop: Workshop, tmp_path: Path
) -> None:
    before = server.register(run_id="run1")
    old = server.models.fetch(before, server.registry)
    again = MemoryRegistry(tmp_path / "again")
    made = workshop.make(tmp_path / "made", run_id="run9")
    after = again.register(NAME, made, "m-run9", "run9")

    new = server.models.fetch(after, again)

    assert after.number == before.number
    assert "run_id: run1" in (old / "MLmodel").read_text()
    assert "run_id: run9" in (new / "MLmodel").read_text()

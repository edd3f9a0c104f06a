"""The model cache: whole versions or none, two of them, shared by all workers."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest

from terna.contracts.version import SIGNATURE_FILE, Version
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


def test_version_is_downloaded_once_as_it_was_signed(server: Server2) -> None:
    version = server.register()

    first = server.models.fetch(version, server.registry)
    second = server.models.fetch(version, server.registry)

    assert first == second
    assert server.registry.downloads == [1]
    signed = server.registry.files(version)
    assert {f.name: f.read_bytes() for f in first.iterdir()} == {
        f.name: f.read_bytes() for f in signed.iterdir()
    }


@pytest.mark.parametrize("damage", KINDS.values(), ids=KINDS)
def test_version_with_invalid_signature_leaves_nothing_here(
    server: Server2, damage: Callable[[Path], object]
) -> None:
    version = server.register()
    damage(server.registry.files(version))

    with pytest.raises(SignatureInvalid):
        server.models.fetch(version, server.registry)

    assert server.kept() == set()
    assert server.unfinished() == []


@pytest.mark.parametrize("damage", KINDS.values(), ids=KINDS)
def test_damaged_directory_is_removed(server: Server2, damage: Callable[[Path], object]) -> None:
    version = server.register()
    damage(server.models.fetch(version, server.registry))

    with pytest.raises(SignatureInvalid), server.models.verified(version):
        pass

    assert server.kept() == set()


def test_damaged_directory_is_downloaded_again(server: Server2) -> None:
    version = server.register()
    tamper(server.models.fetch(version, server.registry))

    signing.verify(server.models.fetch(version, server.registry), server.workshop.public_key)

    assert server.registry.downloads == [1, 1]


def test_missing_key_raises_error_but_keeps_the_directory(server: Server2, tmp_path: Path) -> None:
    version = server.register()
    folder = server.models.fetch(version, server.registry)

    models = ModelCache(server.folder, tmp_path / "no.pub", server.workshop.secret)
    with pytest.raises(SettingsError), models.verified(version):
        pass

    assert folder.is_dir()


class Breaking(MemoryRegistry):
    """Its connection breaks in the middle of a download."""

    def download(self, version: Version, folder: Path, path: str = "") -> None:
        if path == SIGNATURE_FILE:
            return super().download(version, folder, path)
        raise TrackingUnreachable("The tracking server does not answer.")


def test_broken_download_leaves_nothing_here(server: Server2) -> None:
    version = server.register()

    with pytest.raises(TrackingUnreachable):
        server.models.fetch(version, Breaking(server.registry.folder))

    assert server.kept() == set()
    assert server.unfinished() == []


def test_partial_downloads_are_removed_and_versions_stay(server: Server2) -> None:
    version = server.register()
    folder = server.models.fetch(version, server.registry)
    shutil.copytree(folder, folder.with_name(".part-x1"))

    server.models.remove_partial_downloads()

    assert server.unfinished() == []
    assert server.models.fetch(version, server.registry) == folder
    assert server.registry.downloads == [1]


def test_new_machine_has_no_partial_downloads(server: Server2) -> None:
    server.models.remove_partial_downloads()

    assert server.unfinished() == []


class Rendezvous(MemoryRegistry):
    """Lets two downloads begin and end together."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._barrier = Barrier(2, timeout=10)

    def download(self, version: Version, folder: Path, path: str = "") -> None:
        self._barrier.wait()
        super().download(version, folder, path)
        self._barrier.wait()


def test_two_fetches_at_once_both_get_the_whole_version(server: Server2) -> None:
    version = server.register()
    registry = Rendezvous(server.registry.folder)

    with ThreadPoolExecutor(2) as workers:
        fetched = [workers.submit(server.worker().fetch, version, registry) for _ in range(2)]

    folders = {future.result() for future in fetched}
    assert len(folders) == 1
    signing.verify(folders.pop(), server.workshop.public_key)
    assert server.unfinished() == []


def test_set_current_by_many_at_once_succeeds(server: Server2) -> None:
    versions = [server.register(), server.register()]
    for version in versions:
        server.models.fetch(version, server.registry)

    with ThreadPoolExecutor(8) as workers:
        kept = [workers.submit(server.worker().set_current, versions[i % 2]) for i in range(100)]

    assert [future.result() for future in kept] == [None] * 100
    assert server.models.current(NAME) in versions
    assert server.unfinished() == []


def test_verifying_a_damaged_directory_spares_a_good_one_fetched_meanwhile(
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
        slow = workers.submit(server.worker().verified(version).__enter__)
        assert checking.wait(10)
        fast = workers.submit(server.worker().fetch, version, server.registry)
        fast.add_done_callback(lambda _: go_on.set())

    with pytest.raises(SignatureInvalid):
        slow.result()
    verify(fast.result(), server.workshop.public_key)


def test_current_version_and_the_one_before_are_kept(server: Server2) -> None:
    for _ in range(4):
        version = server.register()
        server.models.fetch(version, server.registry)
        server.models.set_current(version)

    assert server.kept() == {3, 4}


def test_rollback_keeps_the_version_it_went_back_to(server: Server2) -> None:
    versions = [server.register() for _ in range(3)]
    for version in (versions[0], versions[1], versions[0], versions[2]):
        server.models.fetch(version, server.registry)
        server.models.set_current(version)

    assert server.kept() == {1, 3}
    assert server.registry.downloads == [1, 2, 3]


def test_versions_never_current_do_not_evict_the_current_one(server: Server2) -> None:
    serving = server.register()
    server.models.fetch(serving, server.registry)
    server.models.set_current(serving)

    for _ in range(3):
        server.models.fetch(server.register(), server.registry)

    assert server.kept() == {1, 4}


def test_version_fetched_last_is_kept_whatever_its_number(server: Server2) -> None:
    serving, second, third = (server.register() for _ in range(3))
    server.models.fetch(serving, server.registry)
    server.models.set_current(serving)

    server.models.fetch(third, server.registry)
    server.models.fetch(second, server.registry)

    assert server.kept() == {1, 2}


def test_current_version_is_known_to_the_next_worker(server: Server2) -> None:
    version = server.register()
    server.models.fetch(version, server.registry)
    server.models.set_current(version)

    assert server.worker().current(NAME) == version


def test_set_current_of_an_evicted_version_changes_nothing(
    server: Server2,
) -> None:
    versions = [server.register() for _ in range(3)]
    for version in versions:
        server.models.fetch(version, server.registry)
        server.models.set_current(version)

    server.worker().set_current(versions[0])

    assert server.models.current(NAME) == versions[2]


@pytest.mark.parametrize(
    "content",
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
def test_broken_current_file_means_no_current_version(server: Server2, content: bytes) -> None:
    (server.folder / NAME).mkdir(parents=True)
    (server.folder / NAME / CURRENT).write_bytes(content)

    assert server.models.current(NAME) is None


def test_version_of_a_new_registry_has_a_directory_of_its_own(
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

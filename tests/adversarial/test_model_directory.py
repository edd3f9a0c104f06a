"""Hostile model directories: what is done to files in the model cache, or by a model in them."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from terna.errors import SettingsError, SignatureInvalid
from terna.predictor.pyfunc_model import PyfuncModel
from terna.security import signing
from terna.serving.agent.child import validate_in_child
from terna.serving.cache.model_cache import make_private
from tests.unit.workshop import NAME, Server2, Workshop, opened, tamper

EXITS = """
import os
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

class Model(PythonModel):
    def load_context(self, context):
        os._exit(0)

    def predict(self, model_input):
        return [1] * len(model_input)

set_model(Model())
"""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return opened(tmp_path_factory.mktemp("workshop"))


@pytest.fixture
def server(tmp_path: Path, workshop: Workshop) -> Server2:
    return Server2(tmp_path, workshop)


@contextmanager
def swapping(good: Path, evil: Path, begun: Event) -> Iterator[None]:
    """Exchange two directories again and again in a thread."""
    done, aside = Event(), good.with_name(".aside")

    def swap() -> None:
        while not done.is_set():
            for source, target in ((good, aside), (evil, good), (aside, evil)):
                if source.exists() and not target.exists():
                    with suppress(FileNotFoundError):  # the cache has removed it meanwhile
                        source.rename(target)
            begun.set()

    thread = Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_directory_renamed_after_its_signature_verified_is_not_loaded(
    server: Server2, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    version = server.register()
    folder = server.models.fetch(version, server.registry)
    evil = shutil.copytree(folder, tmp_path / "evil")
    (evil / "MLmodel").write_text("flavors: {}")
    verify = signing.verify

    def verify_then_rename(model: Path, public_key: Path) -> None:
        verify(model, public_key)
        folder.rename(tmp_path / "aside")
        evil.rename(folder)

    monkeypatch.setattr(signing, "verify", verify_then_rename)
    with server.models.verified(version) as verified:
        assert PyfuncModel.load(version, verified).names

    assert (folder / "MLmodel").read_text() == "flavors: {}"


def test_directory_that_is_renamed_all_the_time_is_loaded_as_signed_or_refused(
    server: Server2,
) -> None:
    version = server.register()
    folder = server.models.fetch(version, server.registry)
    evil = shutil.copytree(folder, folder.with_name(".evil"))
    (evil / "reference.json").write_text("evil")
    signed = (server.registry.files(version) / "reference.json").read_bytes()
    begun = Event()

    for _ in range(10):
        if not folder.exists():
            server.models.fetch(version, server.registry)
        if not evil.exists():
            shutil.copytree(server.registry.files(version), evil)
            (evil / "reference.json").write_text("evil")
        with swapping(folder, evil, begun):
            assert begun.wait(10)
            try:
                with server.models.verified(version) as verified:
                    assert (verified / "reference.json").read_bytes() == signed
            except SignatureInvalid:
                pass
    assert begun.is_set()
    assert server.unfinished() == []


def test_folder_that_others_may_write_is_made_private(tmp_path: Path) -> None:
    folder = tmp_path / "serving"
    folder.mkdir()
    folder.chmod(0o777)

    make_private(folder)

    assert folder.stat().st_mode & 0o777 == 0o700


def test_folder_below_one_that_everybody_may_write_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)

    with pytest.raises(SettingsError, match=f"others can write to {shared}"):
        make_private(shared / "serving")

    shared.chmod(0o1777)  # as /tmp: only its owner may rename what is in it
    make_private(shared / "serving")


def test_older_version_in_the_place_of_the_current_one_is_not_served(server: Server2) -> None:
    old, current = server.promote(), server.promote()
    for version in (old, current):
        server.registry.promote(version)
        server.poll_once()
    folders = [server.models.path_for(version) for version in (old, current)]
    compiled = [folder.with_name(f".compiled-{folder.name}") for folder in folders]
    shutil.rmtree(folders[1])
    folders[0].rename(folders[1])
    compiled[0].replace(compiled[1])

    server.restart_worker()
    server.loader.poll_once()

    assert server.active.version is None


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "another number": lambda note: note.replace(b'"number": 2', b'"number": 1'),
    "another run": lambda note: note.replace(b"run2", b"run1"),
    "no seal": lambda note: note.partition(b"\n")[2],
    "nothing": lambda _: b"",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_note_of_the_current_version_is_no_version(
    server: Server2, change: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        server.promote()
        server.poll_once()
    note = server.folder / NAME / "current.json"
    note.write_bytes(change(note.read_bytes()))
    caplog.clear()

    server.restart_worker()
    server.loader.poll_once()

    assert server.active.version is None
    assert len([line for line in caplog.messages if "was changed or damaged" in line]) == 1


def test_tampered_copy_is_reported_once_when_it_is_replaced(
    server: Server2, caplog: pytest.LogCaptureFixture
) -> None:
    version = server.register()
    tamper(server.models.fetch(version, server.registry))

    server.models.fetch(version, server.registry)

    (line,) = [line for line in caplog.messages if "changed or damaged" in line]
    assert line == "the files of churn version 1 were changed or damaged here: removed"


def test_model_that_ends_its_process_is_rejected_and_the_next_promotion_is_served(
    server: Server2, workshop: Workshop, tmp_path: Path
) -> None:
    server.restart_agent(validate=validate_in_child, require_release=False)
    _, folder = workshop.make_of_code(tmp_path / "exits", EXITS)
    bad = server.registry.register(NAME, folder, "m-1", "run1")
    server.registry.promote(bad)
    server.poll_once()
    good = server.promote()

    server.poll_once()

    assert server.tag(bad) == (
        "rejected: churn version 1 cannot be validated. The model ends the process that loads it:"
        " with exit code 0."
    )
    assert server.active.version == good

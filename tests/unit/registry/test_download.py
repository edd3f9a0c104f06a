"""Downloads: only what training signed, and nothing that is too large."""

from collections.abc import Callable
from pathlib import Path

import pytest

from terna.contracts.version import Version
from terna.errors import FilesRefused, SignatureInvalid
from terna.registry import download
from terna.registry.download import download_signed
from tests.fakes import MemoryRegistry
from tests.unit.workshop import NAME, Workshop

MAX_BYTES = 10_000_000


class Recording(MemoryRegistry):
    """Remembers which files were asked for, and says other sizes than it sends."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked: list[str] = []
        self.sizes: dict[str, int] = {}

    def list_files(self, version: Version, most: int) -> dict[str, int]:
        return super().list_files(version, most) | self.sizes

    def download(self, version: Version, folder: Path, path: str = "") -> None:
        self.asked.append(path)
        super().download(version, folder, path)


@pytest.fixture
def registry(workshop: Workshop, tmp_path: Path) -> Recording:
    registry = Recording(tmp_path / "registry")
    registry.register(NAME, workshop.make(tmp_path / "made"), "m-1", "run1")
    return registry


@pytest.fixture
def fetch(registry: Recording, workshop: Workshop, tmp_path: Path) -> Callable[..., Path]:
    def fetch(max_bytes: int = MAX_BYTES) -> Path:
        folder = tmp_path / "here"
        folder.mkdir()
        version = registry.version(NAME, 1)
        download_signed(registry, version, folder, workshop.public_key, max_bytes)
        return folder

    return fetch


def test_signed_files_are_downloaded_after_the_signature(
    registry: Recording, fetch: Callable[..., Path]
) -> None:
    folder = fetch()

    files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert registry.asked[0] == "model.sig"
    assert set(registry.asked) == files == set(registry.list_files(registry.version(NAME, 1), 100))


def test_version_larger_than_the_setting_is_refused_before_any_download(
    registry: Recording, fetch: Callable[..., Path]
) -> None:
    registry.sizes = {"model.skops": MAX_BYTES}

    with pytest.raises(FilesRefused, match="TERNA_SERVING_MAX_MODEL_BYTES is 10000000"):
        fetch()
    assert registry.asked == []


def test_version_of_too_many_files_is_refused_before_any_download(
    registry: Recording, fetch: Callable[..., Path]
) -> None:
    for number in range(download.MAX_FILES):
        (registry.files(registry.version(NAME, 1)) / f"more{number}").touch()

    with pytest.raises(FilesRefused, match="has more than 1000 files"):
        fetch()
    assert registry.asked == []


def test_large_signature_is_refused_before_any_download(
    registry: Recording, fetch: Callable[..., Path]
) -> None:
    registry.sizes = {"model.sig": download.MAX_SIGNATURE_BYTES + 1}

    with pytest.raises(FilesRefused, match="has a signature of over 1000000 bytes"):
        fetch()
    assert registry.asked == []


@pytest.mark.parametrize("change", ["add", "remove"])
def test_files_other_than_signed_are_refused_before_they_are_downloaded(
    registry: Recording, fetch: Callable[..., Path], change: str
) -> None:
    files = registry.files(registry.version(NAME, 1))
    (files / "more.py").touch() if change == "add" else (files / "model.skops").unlink()

    with pytest.raises(SignatureInvalid, match="of its files are missing"):
        fetch()
    assert registry.asked == ["model.sig"]


def test_file_larger_than_listed_ends_the_download(
    registry: Recording, fetch: Callable[..., Path]
) -> None:
    registry.sizes = {"MLmodel": 5}

    with pytest.raises(FilesRefused, match="larger than the registry says"):
        fetch()
    assert registry.asked == ["model.sig", "MLmodel"]


def test_file_of_other_content_is_refused(registry: Recording, fetch: Callable[..., Path]) -> None:
    file = registry.files(registry.version(NAME, 1)) / "MLmodel"
    file.write_bytes(file.read_bytes().swapcase())

    with pytest.raises(SignatureInvalid):
        fetch()

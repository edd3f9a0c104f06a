"""A seal: what was changed, or sealed elsewhere or for something else, is not read."""

from pathlib import Path

import pytest

from terna.contracts.version import Version
from terna.serving.cache.seal import Seal, describe


@pytest.fixture
def seal(tmp_path: Path) -> Seal:
    (tmp_path / "key").write_text("a secret")
    return Seal(tmp_path / "key")


def test_sealed_content_is_read_as_it_was_written(seal: Seal, tmp_path: Path) -> None:
    seal.write(tmp_path / "file", b"\x00content\n\xff", "a subject")

    assert seal.read(tmp_path / "file", "a subject") == b"\x00content\n\xff"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_missing_file_is_no_content_and_not_reported(
    seal: Seal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert seal.read(tmp_path / "file", "a subject") is None
    assert caplog.messages == []


@pytest.mark.parametrize("content", [b"", b"short", b"0" * 64, b"0" * 64 + b"\ncontent"])
def test_unsealed_file_is_not_read_and_reported(
    seal: Seal, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(content)

    assert seal.read(tmp_path / "file", "current version") is None
    assert caplog.messages == [
        "the current version was changed or damaged in the model cache: not used"
    ]


def test_content_sealed_for_another_subject_is_not_read(seal: Seal, tmp_path: Path) -> None:
    seal.write(tmp_path / "file", b"content", "one")

    assert seal.read(tmp_path / "file", "another") is None


def test_versions_that_differ_in_any_field_are_described_differently() -> None:
    versions = [
        Version("a", 1, "b", "c"),
        Version("a 1", 1, "b", "c"),
        Version("a", 11, "b", "c"),
        Version("a", 1, "b c", ""),
        Version("a", 1, "b", "c'"),
    ]
    assert len({describe(version) for version in versions}) == len(versions)

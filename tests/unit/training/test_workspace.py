"""The files between the phases: whole or not at all."""

import stat
from pathlib import Path
from unittest.mock import Mock

import pandas as pd
import pytest

from terna.errors import PhaseMissing, SettingsError
from terna.training.workspace import Workspace
from tests.unit.training.lab import open_workspace


def interrupt_write(workspace: Workspace, table: pd.DataFrame) -> None:
    """Stop a write before the file is complete."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            workspace.write_table("train.parquet", table)


def test_files_read_as_written(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "a" / "b")
    table = pd.DataFrame({"n": [1, 2], "x": [0.5, None], "text": ["a", None], "yes": [True, False]})
    workspace.write_table("train.parquet", table)
    workspace.write_document("job.json", {"threshold": 0.1, "positive": None})
    pd.testing.assert_frame_equal(workspace.read_table("train.parquet", "acquire"), table)
    assert workspace.read_document("job.json", "acquire") == {"threshold": 0.1, "positive": None}


def test_interrupted_write_keeps_old_file(tmp_path: Path) -> None:
    workspace, table = open_workspace(tmp_path), pd.DataFrame({"n": [1]})
    workspace.write_table("train.parquet", table)
    interrupt_write(workspace, table.assign(n=2))
    pd.testing.assert_frame_equal(workspace.read_table("train.parquet", "acquire"), table)


def test_interrupted_first_write_leaves_no_file(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path)
    interrupt_write(workspace, pd.DataFrame({"n": [1]}))
    with pytest.raises(PhaseMissing):
        workspace.read_table("train.parquet", "acquire")


def test_next_write_replaces_remains_of_interrupted_one(tmp_path: Path) -> None:
    workspace, table = open_workspace(tmp_path), pd.DataFrame({"n": [1]})
    interrupt_write(workspace, table)
    workspace.write_table("train.parquet", table)
    assert [path.name for path in tmp_path.iterdir()] == ["train.parquet"]


def test_removed_file_is_missing(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path)
    workspace.write_bytes("a.txt", b"a")
    workspace.write_bytes("b.txt", b"b")
    workspace.remove("a.txt", "never-written.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]


def test_unserializable_document_keeps_old_file(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path)
    workspace.write_document("job.json", {"n": 1})
    with pytest.raises(TypeError):
        workspace.write_document("job.json", {"n": object()})
    assert workspace.read_document("job.json", "acquire") == {"n": 1}


def test_missing_file_names_the_phase_to_run_first(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path)
    for read in (
        lambda: workspace.read_table("train.parquet", "acquire"),
        lambda: workspace.read_document("train.parquet", "acquire"),
        lambda: workspace.existing("train.parquet", "acquire"),
    ):
        with pytest.raises(PhaseMissing, match=r"train\.parquet is missing: run `terna acquire`"):
            read()


def test_table_on_disk_is_encrypted_and_nobody_elses(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "churn")
    workspace.write_table("train.parquet", pd.DataFrame({"surname": ["Rosalind"] * 9}))
    written = tmp_path / "churn/train.parquet"
    assert b"Rosalind" not in written.read_bytes()
    assert b"surname" not in written.read_bytes()
    with pytest.raises(OSError, match="encrypted"):
        pd.read_parquet(written)
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert stat.S_IMODE(written.parent.stat().st_mode) == 0o700


def test_missing_key_is_named_with_what_to_do(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "churn")
    workspace.write_table("train.parquet", pd.DataFrame({"n": [1]}))
    (tmp_path / "churn.key").unlink()
    for touch in (
        lambda: workspace.read_table("train.parquet", "acquire"),
        lambda: workspace.write_table("train.parquet", pd.DataFrame({"n": [1]})),
    ):
        with pytest.raises(SettingsError, match=r"churn\.key.* is missing.*terna certificates"):
            touch()


def test_another_key_is_named_with_what_to_do(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "churn")
    workspace.write_table("train.parquet", pd.DataFrame({"n": [1]}))
    (tmp_path / "churn.key").write_text("ab" * 32)
    with pytest.raises(SettingsError, match=r"encrypted with another key than .*churn\.key"):
        workspace.read_table("train.parquet", "acquire")


def test_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "churn")
    (tmp_path / "churn.key").write_text("secret")
    with pytest.raises(SettingsError, match=r"churn\.key is no key") as raised:
        workspace.write_table("train.parquet", pd.DataFrame({"n": [1]}))
    assert "secret" not in str(raised.value)


def test_table_from_before_tables_were_encrypted_is_read(tmp_path: Path) -> None:
    workspace, table = open_workspace(tmp_path / "churn"), pd.DataFrame({"n": [1]})
    workspace.write_bytes("train.parquet", table.to_parquet(index=False))
    pd.testing.assert_frame_equal(workspace.read_table("train.parquet", "acquire"), table)

"""Files that phases hand on: whole or not at all."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from terna.errors import PhaseMissing
from terna.training.workspace import Workspace


class Interrupted(pd.DataFrame):
    """A table whose writer is stopped in the middle."""

    def to_parquet(self, path: Any, **_: Any) -> None:  # type: ignore[override]
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt


def test_what_one_phase_writes_another_reads(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "a" / "b")
    table = pd.DataFrame({"n": [1, 2], "x": [0.5, None], "text": ["a", None], "yes": [True, False]})
    workspace.write_table("train.parquet", table)
    workspace.write_document("job.json", {"threshold": 0.1, "positive": None})
    pd.testing.assert_frame_equal(workspace.read_table("train.parquet", "acquire"), table)
    assert workspace.read_document("job.json", "acquire") == {"threshold": 0.1, "positive": None}


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    workspace, table = Workspace(tmp_path), pd.DataFrame({"n": [1]})
    workspace.write_table("train.parquet", table)
    with pytest.raises(KeyboardInterrupt):
        workspace.write_table("train.parquet", Interrupted(table))
    pd.testing.assert_frame_equal(workspace.read_table("train.parquet", "acquire"), table)
    assert [path.name for path in tmp_path.iterdir()] == ["train.parquet"]


def test_an_interrupted_first_write_leaves_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        workspace.write_table("train.parquet", Interrupted({"n": [1]}))
    assert list(tmp_path.iterdir()) == []


def test_a_document_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.write_document("job.json", {"n": 1})
    with pytest.raises(TypeError):
        workspace.write_document("job.json", {"n": object()})
    assert workspace.read_document("job.json", "acquire") == {"n": 1}


def test_a_missing_file_names_the_phase_to_run_first(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for ask in (
        lambda: workspace.read_table("train.parquet", "acquire"),
        lambda: workspace.read_document("train.parquet", "acquire"),
        lambda: workspace.existing("train.parquet", "acquire"),
    ):
        with pytest.raises(PhaseMissing, match=r"train\.parquet is missing: run `terna acquire`"):
            ask()

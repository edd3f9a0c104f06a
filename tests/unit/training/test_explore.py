"""The explore phase keeps its report where people look for it."""

from pathlib import Path

import pytest

from terna.errors import PhaseMissing
from terna.training import explore
from tests.unit.training.lab import Lab, customers


def test_report_of_training_rows_is_kept_in_workspace_and_run(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.acquire(customers(), holdout="121-160")
    explore.run(lab.session)
    page = (lab.workspace.folder / "explore.html").read_bytes()
    assert lab.main_run.files["explore/explore.html"] == page
    assert b"customers.parquet, training rows" in page
    assert b"<dt>rows</dt><dd>120</dd>" in page
    assert lab.reporter.said[-1] == f"explored   {lab.workspace.folder / 'explore.html'}"


def test_explore_before_acquire_names_acquire(tmp_path: Path) -> None:
    with pytest.raises(PhaseMissing, match="terna acquire"):
        explore.run(Lab(tmp_path).session)

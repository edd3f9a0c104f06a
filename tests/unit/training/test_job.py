"""The job that acquire writes, and every later phase reads."""

from pathlib import Path

import pytest

from terna.errors import PhaseMissing
from terna.training.job import Job
from tests.unit.training.lab import open_workspace

TWO = Job("run", "customers.csv", "churn", ("no", "yes"), "yes", "0.25")
THREE = Job("run", "customers.csv", "tier", (1, 2, 3), None, "1-9")


@pytest.mark.parametrize("job", [TWO, THREE])
def test_job_reads_as_written(tmp_path: Path, job: Job) -> None:
    job.write(open_workspace(tmp_path))
    assert Job.read(open_workspace(tmp_path)) == job


def test_only_two_classes_are_binary() -> None:
    assert (TWO.binary, THREE.binary) == (True, False)


def test_missing_job_names_acquire(tmp_path: Path) -> None:
    with pytest.raises(PhaseMissing, match="terna acquire"):
        Job.read(open_workspace(tmp_path))

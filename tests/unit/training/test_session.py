"""A session is opened for a model of a usable name, and closes the runs that failed."""

from pathlib import Path

import pytest

from terna.errors import SettingsError
from terna.progress import Silent
from terna.settings import Settings
from terna.training.session import Session
from tests.unit.training.lab import Lab


@pytest.mark.parametrize("name", ["", "../elsewhere", "a/b", ".hidden"])
def test_unusable_model_name_raises_settings_error(name: str) -> None:
    with pytest.raises(SettingsError, match="A model's name is letters"):
        Session.open(name, Settings.load(), Silent())


def test_failed_run_is_closed(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.session.close_as_failed(lab.runs.start("churn"))
    assert lab.main_run.status == "FAILED"


def test_run_that_cannot_be_closed_is_reported(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    run_id = lab.runs.start("churn")
    lab.runs.reachable = False
    lab.session.close_as_failed(run_id)
    assert lab.reporter.said == [f"The MLflow run {run_id} could not be closed as failed."]

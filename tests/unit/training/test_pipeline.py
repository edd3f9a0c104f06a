"""All six phases, from a table to a version in production; a failure leaves nothing behind."""

from pathlib import Path

import pytest

from terna.contracts import reference_rows
from terna.errors import DataError, SettingsError, TrackingRefused, TrackingUnreachable
from terna.progress import Silent
from terna.settings import Settings
from terna.training.families import FAMILIES
from terna.training.pipeline import train
from terna.training.publish import Published
from terna.training.session import Session
from tests.fakes import MemoryRegistry
from tests.unit.training.lab import Lab, Notes, customers, three_kinds

TRIALS = len(FAMILIES)
PHASES = ["acquired", "explored", "prepared", "tuned", "evaluated", "published"]


class Stopped(Notes):
    """A person who presses Ctrl-C as soon as one phase is done."""

    def __init__(self, phase: str) -> None:
        super().__init__()
        self.phase = phase

    def say(self, text: str) -> None:
        super().say(text)
        if text.startswith(self.phase):
            raise KeyboardInterrupt


class Full(MemoryRegistry):
    """A registry that takes no more versions."""

    def register(self, *_: object) -> None:  # type: ignore[override]
        raise self._refuse("it is full")


def with_reporter(lab: Lab, reporter: Notes) -> Session:
    parts = (lab.workspace, lab.runs, lab.registry, lab.settings)
    return Session(lab.session.name, *parts, reporter)


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, Published, Published]:
    """The same table trained on twice."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    request = lab.request(customers())
    return lab, train(lab.session, request, TRIALS), train(lab.session, request, TRIALS)


def test_a_table_becomes_a_version_in_production(
    twice: tuple[Lab, Published, Published],
) -> None:
    lab, first, again = twice
    assert (first.promoted, first.production) == (True, None)
    assert lab.registry.production("churn") == again.version
    assert [run.status for run in lab.runs.runs.values() if not run.parent] == ["FINISHED"] * 2
    assert [line.split()[0] for line in lab.notes.said] == PHASES * 2
    assert again.f1 == lab.main_run.metrics["holdout.f1"] > 0.7


def test_the_same_table_and_seed_give_the_same_model(
    twice: tuple[Lab, Published, Published],
) -> None:
    lab, first, again = twice
    assert again.f1 == again.production_f1 == first.f1
    answers = [reference_rows.read(lab.registry.files(one.version)) for one in (first, again)]
    assert answers[0] == answers[1]
    assert again.promoted


def test_more_than_two_classes_go_all_the_way(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    published = train(lab.session, lab.request(three_kinds()), TRIALS)
    assert lab.registry.production("churn") == published.version
    assert published.f1 > 0.6


def test_a_phase_that_fails_closes_the_run_as_failed_and_registers_nothing(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    constant = customers().assign(calls=1, minutes=1, plan="a", region="b")
    with pytest.raises(DataError, match="No column is left"):
        train(lab.session, lab.request(constant), TRIALS)
    assert lab.main_run.status == "FAILED"
    assert lab.registry.versions == {}


@pytest.mark.parametrize("phase", PHASES[1:3])
def test_ctrl_c_closes_the_run_as_failed_and_registers_nothing(tmp_path: Path, phase: str) -> None:
    lab = Lab(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train(with_reporter(lab, Stopped(phase)), lab.request(customers()), TRIALS)
    assert lab.main_run.status == "FAILED"
    assert lab.registry.versions == {}


def test_a_registry_that_refuses_closes_the_run_as_failed(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.registry = Full(tmp_path / "registry")
    with pytest.raises(TrackingRefused, match="it is full"):
        train(with_reporter(lab, lab.notes), lab.request(customers()), TRIALS)
    assert lab.main_run.status == "FAILED"
    assert lab.registry.aliases == {}


def test_without_tracking_no_run_is_opened_and_nothing_is_written(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.registry.reachable = False
    with pytest.raises(TrackingUnreachable):
        train(lab.session, lab.request(customers()), TRIALS)
    assert lab.runs.runs == {}
    assert lab.written() == []


def test_tracking_that_goes_away_is_what_the_person_is_told(tmp_path: Path) -> None:
    lab = Lab(tmp_path)

    class Unplugged(Notes):
        def say(self, text: str) -> None:
            super().say(text)
            lab.runs.reachable = lab.registry.reachable = False

    reporter = Unplugged()
    with pytest.raises(TrackingUnreachable):
        train(with_reporter(lab, reporter), lab.request(customers()), TRIALS)
    assert reporter.said[-1] == "The MLflow run run1 could not be closed as failed."
    assert lab.registry.versions == {}


def test_another_table_leaves_nothing_of_the_one_before_to_publish(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.fit(customers())
    lab.acquire(customers(seed=1))
    assert lab.written() == ["holdout.parquet", "job.json", "train.parquet"]


@pytest.mark.parametrize("name", ["", "../elsewhere", "a/b", ".hidden"])
def test_a_name_that_is_no_models_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="A model's name is letters"):
        Session.open(name, Settings.load(), Silent())

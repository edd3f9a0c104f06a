"""All six phases: a version in production, or a failed run and nothing registered."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from terna.contracts import reference_rows
from terna.errors import DataError, TrackingRefused, TrackingUnreachable
from terna.training.families import FAMILIES
from terna.training.pipeline import train
from terna.training.plots import style
from terna.training.publish import PublishResult
from terna.training.session import Session
from tests.fakes import MemoryRegistry
from tests.unit.training.lab import Lab, Recorder, customers, three_classes

TRIALS = len(FAMILIES)
PHASES = ["acquired", "explored", "prepared", "tuned", "evaluated", "published"]


class InterruptAfter(Recorder):
    """A reporter that raises what Ctrl-C does as soon as one phase is done."""

    def __init__(self, phase: str) -> None:
        super().__init__()
        self.phase = phase

    def say(self, text: str) -> None:
        super().say(text)
        if text.startswith(self.phase):
            raise KeyboardInterrupt


class FullRegistry(MemoryRegistry):
    """A registry that refuses new versions."""

    def register(self, *_: object) -> None:  # type: ignore[override]
        raise self._refuse("it is full")


def with_reporter(lab: Lab, reporter: Recorder) -> Session:
    """Return a session with another reporter, and the registry that the lab has now."""
    parts = (lab.workspace, lab.runs, lab.registry, lab.settings)
    return Session(lab.session.name, *parts, reporter)


@pytest.fixture(scope="module", autouse=True)
def no_png() -> Iterator[None]:
    """Leave the plots empty: rendering them takes longer than the training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "png", lambda _: b"")
        yield


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, PublishResult, PublishResult]:
    """Train on the same table twice."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    request = lab.request(customers())
    return lab, train(lab.session, request, TRIALS), train(lab.session, request, TRIALS)


def test_table_becomes_version_in_production(
    twice: tuple[Lab, PublishResult, PublishResult],
) -> None:
    lab, first, again = twice
    assert (first.promoted, first.production) == (True, None)
    assert lab.registry.production("churn") == again.version
    assert [run.status for run in lab.runs.runs.values() if not run.parent] == ["FINISHED"] * 2
    assert [line.split()[0] for line in lab.reporter.said] == PHASES * 2
    assert again.f1 == lab.main_run.metrics["holdout.f1"] > 0.7


def test_same_table_and_seed_give_same_model(
    twice: tuple[Lab, PublishResult, PublishResult],
) -> None:
    lab, first, again = twice
    assert again.f1 == again.production_f1 == first.f1
    answers = [reference_rows.read(lab.registry.files(one.version)) for one in (first, again)]
    assert answers[0] == answers[1]
    assert again.promoted


def test_more_than_two_classes_are_trained_and_published(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    result = train(lab.session, lab.request(three_classes()), TRIALS)
    assert lab.registry.production("churn") == result.version
    assert result.f1 > 0.6


def test_failing_phase_closes_run_as_failed_and_registers_nothing(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    constant = customers().assign(calls=1, minutes=1, plan="a", region="b")
    with pytest.raises(DataError, match="No column is left"):
        train(lab.session, lab.request(constant), TRIALS)
    assert lab.main_run.status == "FAILED"
    assert lab.registry.versions == {}


@pytest.mark.parametrize("phase", PHASES[1:3])
def test_interrupt_closes_run_as_failed_and_registers_nothing(tmp_path: Path, phase: str) -> None:
    lab = Lab(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train(with_reporter(lab, InterruptAfter(phase)), lab.request(customers()), TRIALS)
    assert lab.main_run.status == "FAILED"
    assert lab.registry.versions == {}


def test_refusing_registry_closes_run_as_failed(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.registry = FullRegistry(tmp_path / "registry")
    with pytest.raises(TrackingRefused, match="it is full"):
        train(with_reporter(lab, lab.reporter), lab.request(customers()), TRIALS)
    assert lab.main_run.status == "FAILED"
    assert lab.registry.aliases == {}


def test_unreachable_tracking_server_opens_no_run_and_writes_nothing(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.registry.reachable = False
    with pytest.raises(TrackingUnreachable):
        train(lab.session, lab.request(customers()), TRIALS)
    assert lab.runs.runs == {}
    assert lab.written() == []


def test_lost_tracking_server_raises_tracking_unreachable(tmp_path: Path) -> None:
    lab = Lab(tmp_path)

    class DisconnectOnSay(Recorder):
        def say(self, text: str) -> None:
            super().say(text)
            lab.runs.reachable = lab.registry.reachable = False

    reporter = DisconnectOnSay()
    with pytest.raises(TrackingUnreachable):
        train(with_reporter(lab, reporter), lab.request(customers()), TRIALS)
    assert reporter.said[-1] == "The MLflow run run1 could not be closed as failed."
    assert lab.registry.versions == {}


def test_new_table_removes_files_of_later_phases(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.fit(customers())
    lab.acquire(customers(seed=1))
    assert lab.written() == ["holdout.parquet", "job.json", "train.parquet"]

"""The commands of the training server."""

from pathlib import Path
from typing import Any

import pytest

from terna.settings import Settings, Training
from terna.training import acquire, pipeline, session, tune
from terna.training.job import CHURN_REQUEST, TrainingRequest
from tests.fakes import MemoryRegistry
from tests.unit.cli.running import Terna


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryRegistry:
    """What every session of a command finds in place of the tracking server."""
    registry = MemoryRegistry(tmp_path / "registry")
    monkeypatch.setattr(session, "connect", lambda _: None)
    monkeypatch.setattr(session, "MLflowRegistry", lambda *_: registry)
    return registry


@pytest.fixture
def calls(registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:  # noqa: ARG001
    """The name and the arguments of each training that a command starts."""
    calls: list[tuple[Any, ...]] = []
    for module, function in ((pipeline, "train"), (acquire, "run"), (tune, "run")):
        monkeypatch.setattr(module, function, lambda s, *rest: calls.append((s.name, *rest)))
    return calls


def in_production(registry: MemoryRegistry, model: Path) -> None:
    (model / "model").mkdir(parents=True)
    registry.promote(registry.register("rfc_tune", model / "model", "m-1", "run1"))


def test_train_uses_the_defaults_of_settings(terna: Terna, calls: list[Any]) -> None:
    done = terna("train")

    assert done.code == 0, done.err
    assert calls == [("rfc_tune", CHURN_REQUEST, Training().trials)]


def test_train_passes_its_options_on(terna: Terna, calls: list[Any]) -> None:
    done = terna("train", "--name", "mine", "--data", "c.csv", "--target", "left", "--trials", "3")

    assert done.code == 0, done.err
    assert calls == [("mine", TrainingRequest("c.csv", target="left"), 3)]


def test_train_first_does_nothing_when_a_version_is_in_production(
    terna: Terna, calls: list[Any], registry: MemoryRegistry, tmp_path: Path
) -> None:
    in_production(registry, tmp_path)

    done = terna("train", "--first")

    assert (done.code, done.out) == (0, "rfc_tune version 1 is in production already\n")
    assert calls == []


def test_train_first_trains_when_nothing_is_in_production(terna: Terna, calls: list[Any]) -> None:
    assert terna("train", "--first").code == 0
    assert len(calls) == 1


@pytest.mark.parametrize("command", ["train", "acquire", "demo"])
def test_data_without_target_is_one_line_that_says_what_to_do(
    terna: Terna, calls: list[Any], command: str
) -> None:
    done = terna(command, "--data", "customers.csv")

    expected = "error: Which column is to be predicted? Add --target COLUMN.\n"
    assert (done.code, done.err) == (1, expected)
    assert calls == []


def test_acquire_passes_its_options_on(terna: Terna, calls: list[Any]) -> None:
    assert terna("acquire", "--data", "c.csv", "--target", "left").code == 0
    assert calls == [("rfc_tune", TrainingRequest("c.csv", target="left"))]


@pytest.mark.parametrize(("arguments", "trials"), [([], 7), (["--trials", "3"], 3)])
def test_tune_takes_trials_from_its_option_else_from_settings(
    terna: Terna,
    calls: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    trials: int,
) -> None:
    monkeypatch.setenv("TERNA_TRAINING_TRIALS", "7")

    assert terna("tune", *arguments).code == 0
    assert calls == [("rfc_tune", trials)]


def test_phase_whose_predecessor_has_not_run_says_so(
    terna: Terna, registry: MemoryRegistry
) -> None:
    done = terna("explore")

    assert done.code == 1
    assert "acquire" in done.err
    assert registry.versions == {}


def test_default_model_is_the_one_that_serving_serves() -> None:
    assert Settings.load().serving.model == "rfc_tune"

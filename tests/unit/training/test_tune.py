"""The search: repeatable, blind to the hold-out, and logged in MLflow trial by trial."""

from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from terna.errors import OptunaStorageUnreachable, PhaseMissing
from terna.training import tune
from terna.training.families import FAMILIES
from terna.training.prepare import Features, model_inputs
from terna.training.threshold import best_threshold
from terna.training.tune import TuningResult
from tests.fakes import MemoryRun
from tests.unit.training.lab import Lab, customers, three_classes

TRIALS = len(FAMILIES) + 1
HOLDOUT = "121-160"


def tune_on(lab: Lab, table: pd.DataFrame, trials: int = TRIALS) -> TuningResult:
    lab.prepare(table, holdout=HOLDOUT)
    return tune.run(lab.session, trials)


def trials_of(lab: Lab) -> list[MemoryRun]:
    return [run for run in lab.runs.runs.values() if run.parent is not None]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A search that has run."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    tune_on(lab, customers())
    return lab


def test_every_trial_is_a_nested_run_with_params_and_f1(lab: Lab) -> None:
    trials = trials_of(lab)
    assert [run.name for run in trials] == [f"trial-{n:02d}" for n in range(TRIALS)]
    assert {run.parent for run in trials} == {next(iter(lab.runs.runs))}
    for run in trials:
        assert run.status == "FINISHED"
        assert set(run.params) == {"family", *FAMILIES[run.params["family"]].default}
        assert ("cv.f1" in run.metrics) != (run.tags.get("terna.pruned") == "true")


def test_every_family_is_tried_first(lab: Lab) -> None:
    assert [run.params["family"] for run in trials_of(lab)[: len(FAMILIES)]] == list(FAMILIES)


def test_best_candidate_is_written_and_logged(lab: Lab) -> None:
    best = TuningResult.read(lab.workspace)
    trial = max(trials_of(lab), key=lambda run: run.metrics.get("cv.f1", 0))
    assert {"family": best.family, **best.params} == trial.params
    assert best.f1 == trial.metrics["cv.f1"] == lab.main_run.metrics["cv.f1"]
    assert lab.main_run.params.items() >= {**trial.params, "threshold": best.threshold}.items()


def test_progress_advances_once_per_trial(lab: Lab) -> None:
    assert lab.reporter.steps["tuning churn"] == TRIALS


def test_threshold_and_f1_are_those_of_cross_validation_on_training_rows(lab: Lab) -> None:
    best, features = TuningResult.read(lab.workspace), Features.read(lab.workspace)
    train = lab.workspace.read_table("train.parquet", "acquire")
    probability = cross_val_predict(
        best.build_model(features, lab.settings.seed),
        model_inputs(train, features),
        train["churn"],
        cv=StratifiedKFold(lab.settings.folds, shuffle=True, random_state=lab.settings.seed),
        method="predict_proba",
    )
    threshold, f1 = best_threshold(train["churn"].to_numpy() == "yes", probability[:, 1])
    assert best.threshold == pytest.approx(threshold)
    assert best.f1 == pytest.approx(f1)


def test_same_table_and_seed_give_same_result(lab: Lab, tmp_path: Path) -> None:
    again = Lab(tmp_path)
    assert tune_on(again, customers()) == TuningResult.read(lab.workspace)
    assert [run.params for run in trials_of(again)] == [run.params for run in trials_of(lab)]


def test_number_of_cores_does_not_change_result(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert tune_on(Lab(tmp_path), customers()) == TuningResult.read(lab.workspace)


def test_holdout_does_not_change_result(lab: Lab, tmp_path: Path) -> None:
    table = customers()
    train, holdout = table[:120], table[120:]
    other = holdout.assign(
        calls=holdout["calls"] * 1000,
        minutes=np.nan,
        plan="satellite",
        churn=holdout["churn"].to_numpy()[::-1],
    )
    assert tune_on(Lab(tmp_path), pd.concat([train, other])) == TuningResult.read(lab.workspace)


def test_more_than_two_classes_have_no_threshold(tmp_path: Path) -> None:
    best = tune_on(Lab(tmp_path), three_classes(160), trials=len(FAMILIES))
    assert best.threshold is None
    assert best.f1 > 0.7


def test_trial_that_raises_is_closed_as_failed(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.prepare(customers())
    Features(numbers=("plan",), texts=(), order=("plan",), categories=()).write(lab.workspace)
    with pytest.raises(ValueError, match="could not convert"):
        tune.run(lab.session, 1)
    assert [run.status for run in trials_of(lab)] == ["FAILED"]
    assert "tuned.json" not in lab.written()


def test_missing_file_names_the_phase_to_run_first(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    with pytest.raises(PhaseMissing, match="terna acquire"):
        tune.run(lab.session, 1)
    lab.acquire(customers())
    with pytest.raises(PhaseMissing, match="terna prepare"):
        tune.run(lab.session, 1)


def test_interrupted_study_in_database_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path, optuna_storage=f"sqlite:///{tmp_path}/studies.db")
    lab.prepare(customers(), holdout=HOLDOUT)
    with monkeypatch.context() as interrupted:
        interrupted.setattr(
            tune, "cross_validate", Mock(side_effect=[(0.1, 0.5), KeyboardInterrupt])
        )
        with pytest.raises(KeyboardInterrupt):
            tune.run(lab.session, TRIALS)
    tune.run(lab.session, TRIALS)
    assert [run.name for run in trials_of(lab)] == [f"trial-{n:02d}" for n in range(TRIALS + 1)]
    assert [run.status for run in trials_of(lab)].count("FAILED") == 1
    assert lab.reporter.steps["tuning churn"] == TRIALS


def test_finished_study_in_database_runs_no_more_trials(tmp_path: Path) -> None:
    lab = Lab(tmp_path, optuna_storage=f"sqlite:///{tmp_path}/studies.db")
    best = tune_on(lab, customers(), trials=2)
    assert tune.run(lab.session, 2) == best
    assert len(trials_of(lab)) == 2


def test_unreachable_study_database_raises_error(tmp_path: Path) -> None:
    lab = Lab(tmp_path, optuna_storage="postgresql+psycopg://nobody@localhost:1/none")
    lab.prepare(customers())
    with pytest.raises(
        OptunaStorageUnreachable, match="TERNA_TRAINING_OPTUNA_STORAGE does not answer"
    ):
        tune.run(lab.session, 1)


def test_result_reads_as_written(tmp_path: Path) -> None:
    workspace = Lab(tmp_path).workspace
    best = TuningResult("random_forest", {"class_weight": None, "max_features": 0.3}, 0.37, 0.84)
    best.write(workspace)
    assert TuningResult.read(workspace) == best

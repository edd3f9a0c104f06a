"""The search: honest, repeatable, and told in MLflow trial by trial."""

from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from terna.errors import OptunaStorageUnreachable, PhaseMissing
from terna.training import tune
from terna.training.families import FAMILIES
from terna.training.prepare import Features, inputs
from terna.training.tune import Tuned, best_threshold
from tests.fakes import MemoryRun
from tests.unit.training.lab import Lab, customers, three_kinds

TRIALS = len(FAMILIES) + 1
HOLDOUT = "121-160"


def tuned(lab: Lab, table: pd.DataFrame, trials: int = TRIALS) -> Tuned:
    lab.prepare(table, holdout=HOLDOUT)
    return tune.run(lab.session, trials)


def trials_of(lab: Lab) -> list[MemoryRun]:
    return [run for run in lab.runs.runs.values() if run.parent is not None]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """One search, to look at."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    tuned(lab, customers())
    return lab


def test_every_trial_is_a_nested_run_with_its_candidate_and_its_f1(lab: Lab) -> None:
    trials = trials_of(lab)
    assert [run.name for run in trials] == [f"trial-{n:02d}" for n in range(TRIALS)]
    assert {run.parent for run in trials} == {next(iter(lab.runs.runs))}
    for run in trials:
        assert run.status == "FINISHED"
        assert set(run.params) == {"family", *FAMILIES[run.params["family"]].default}
        assert ("cv.f1" in run.metrics) != (run.tags.get("terna.pruned") == "true")


def test_every_family_gets_its_chance_first(lab: Lab) -> None:
    assert [run.params["family"] for run in trials_of(lab)[: len(FAMILIES)]] == list(FAMILIES)


def test_the_best_candidate_wins_and_the_run_says_so(lab: Lab) -> None:
    winner = Tuned.read(lab.workspace)
    best = max(trials_of(lab), key=lambda run: run.metrics.get("cv.f1", 0))
    assert {"family": winner.family, **winner.params} == best.params
    assert winner.f1 == best.metrics["cv.f1"] == lab.main_run.metrics["cv.f1"]
    assert lab.main_run.params.items() >= {**best.params, "threshold": winner.threshold}.items()


def test_the_search_is_seen_to_go_on(lab: Lab) -> None:
    assert lab.notes.steps["tuning churn"] == TRIALS


def test_threshold_and_f1_come_from_cross_validation_on_training_rows(lab: Lab) -> None:
    winner, features = Tuned.read(lab.workspace), Features.read(lab.workspace)
    train = lab.workspace.read_table("train.parquet", "acquire")
    probability = cross_val_predict(
        winner.unfitted(features, lab.settings.seed),
        inputs(train, features),
        train["churn"],
        cv=StratifiedKFold(lab.settings.folds, shuffle=True, random_state=lab.settings.seed),
        method="predict_proba",
    )
    threshold, f1 = best_threshold(train["churn"].to_numpy() == "yes", probability[:, 1])
    assert winner.threshold == pytest.approx(threshold)
    assert winner.f1 == pytest.approx(f1)


def test_the_same_table_and_seed_give_the_same_model(lab: Lab, tmp_path: Path) -> None:
    again = Lab(tmp_path)
    assert tuned(again, customers()) == Tuned.read(lab.workspace)
    assert [run.params for run in trials_of(again)] == [run.params for run in trials_of(lab)]


def test_the_number_of_cores_changes_nothing(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert tuned(Lab(tmp_path), customers()) == Tuned.read(lab.workspace)


def test_changing_the_holdout_changes_nothing(lab: Lab, tmp_path: Path) -> None:
    table = customers()
    train, held_out = table[:120], table[120:]
    strange = held_out.assign(
        calls=held_out["calls"] * 1000,
        minutes=np.nan,
        plan="satellite",
        churn=held_out["churn"].to_numpy()[::-1],
    )
    assert tuned(Lab(tmp_path), pd.concat([train, strange])) == Tuned.read(lab.workspace)


def test_more_than_two_classes_need_no_threshold(tmp_path: Path) -> None:
    winner = tuned(Lab(tmp_path), three_kinds(160), trials=len(FAMILIES))
    assert winner.threshold is None
    assert winner.f1 > 0.7


def test_a_trial_that_breaks_is_closed_as_failed(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.prepare(customers())
    Features(numbers=("plan",), texts=(), order=("plan",)).write(lab.workspace)
    with pytest.raises(ValueError, match="could not convert"):
        tune.run(lab.session, 1)
    assert [run.status for run in trials_of(lab)] == ["FAILED"]
    assert "tuned.json" not in lab.written()


def test_tune_names_the_phase_to_run_first(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    with pytest.raises(PhaseMissing, match="terna acquire"):
        tune.run(lab.session, 1)
    lab.acquire(customers())
    with pytest.raises(PhaseMissing, match="terna prepare"):
        tune.run(lab.session, 1)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1).filter(
        lambda rows: any(positive for positive, _ in rows)
    )
)
def test_the_f1_told_is_the_best_that_any_threshold_reaches(rows: list[tuple[bool, int]]) -> None:
    actual = np.array([positive for positive, _ in rows])
    probability = np.array([share / 20 for _, share in rows])
    threshold, f1 = best_threshold(actual, probability)
    reached = [f1_score(actual, probability >= each) for each in probability]
    assert f1 == pytest.approx(max(reached))
    assert probability.min() <= threshold <= probability.max()


def test_classes_that_can_be_told_apart_are() -> None:
    actual, probability = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.9])
    threshold, f1 = best_threshold(actual, probability)
    assert (threshold, f1) == (0.3, 1.0)
    assert ((probability >= threshold) == actual).all()


def test_a_threshold_that_hangs_on_one_customer_is_not_taken() -> None:
    """All are nearly as good as the best, which is 0.5: their mean is taken."""
    actual = np.array([0] * 300 + [1] * 300)
    probability = np.array([0.2] * 299 + [0.4] + [0.5] + [0.6] * 299)
    threshold, f1 = best_threshold(actual, probability)
    assert f1 == 1
    assert threshold == pytest.approx((0.4 + 0.5 + 0.6) / 3)


def test_a_threshold_between_two_good_ones_that_is_bad_is_not_taken() -> None:
    """At 0.1 and at 0.9 F1 is good, between them it is not."""
    actual = np.array([1] * 40 + [0] * 60 + [1] * 100)
    probability = np.array([0.1] * 40 + [0.5] * 60 + [0.9] * 100)
    threshold, f1 = best_threshold(actual, probability)
    assert f1_score(actual, probability >= threshold) >= f1 - 0.01


def test_an_interrupted_search_goes_on_where_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path, optuna_storage=f"sqlite:///{tmp_path}/studies.db")
    lab.prepare(customers(), holdout=HOLDOUT)
    with monkeypatch.context() as ended:
        ended.setattr(tune, "cross_validate", Mock(side_effect=[(0.1, 0.5), KeyboardInterrupt]))
        with pytest.raises(KeyboardInterrupt):
            tune.run(lab.session, TRIALS)
    tune.run(lab.session, TRIALS)
    assert [run.name for run in trials_of(lab)] == [f"trial-{n:02d}" for n in range(TRIALS + 1)]
    assert [run.status for run in trials_of(lab)].count("FAILED") == 1
    assert lab.notes.steps["tuning churn"] == TRIALS


def test_a_search_that_is_done_answers_again_without_a_trial(tmp_path: Path) -> None:
    lab = Lab(tmp_path, optuna_storage=f"sqlite:///{tmp_path}/studies.db")
    winner = tuned(lab, customers(), trials=2)
    assert tune.run(lab.session, 2) == winner
    assert len(trials_of(lab)) == 2


def test_studies_that_cannot_be_reached_are_told_in_one_line(tmp_path: Path) -> None:
    lab = Lab(tmp_path, optuna_storage="postgresql+psycopg://nobody@localhost:1/none")
    lab.prepare(customers())
    with pytest.raises(
        OptunaStorageUnreachable, match="TERNA_TRAINING_OPTUNA_STORAGE does not answer"
    ):
        tune.run(lab.session, 1)

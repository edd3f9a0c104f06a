"""The hold-out is met once, by the model that will serve, at the threshold that tune found."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.metrics import f1_score, precision_score, recall_score

from terna.errors import PhaseMissing
from terna.training import evaluate
from terna.training.job import Job
from terna.training.prepare import Features
from terna.training.tune import Tuned
from tests.unit.training.lab import SMALL_FOREST, Lab, customers, three_kinds

JOB = Job("run", "table", "churn", ("no", "yes"), "yes", "0.25")
KINDS = Job("run", "table", "churn", ("bronze", "gold", "silver"), None, "0.25")
PNG = b"\x89PNG"


def held_out(lab: Lab) -> tuple[Any, Any, Any]:
    """The hold-out's labels, and the labels and probabilities that the model as kept gives it."""
    (rows, actual), model = lab.held_out(), evaluate.load(lab.session)
    return actual, model.predict(rows), model.predict_proba(rows)


@pytest.mark.parametrize("positive", ["yes", "no"])
def test_a_customer_is_positive_from_the_threshold_on(tmp_path: Path, positive: str) -> None:
    lab = Lab(tmp_path)
    job = lab.prepare(customers(), positive=positive)
    features, (rows, _) = Features.read(lab.workspace), lab.held_out()
    train = lab.workspace.read_table("train.parquet", "acquire")

    def fit(threshold: float) -> BaseEstimator:
        return evaluate.fit(replace(SMALL_FOREST, threshold=threshold), job, features, train, 0)

    chance = fit(0.5).predict_proba(rows)[:, ["no", "yes"].index(positive)]
    for threshold in (0.0, 0.1, *chance[:3], 0.5, 0.9):
        predicted = fit(threshold).predict(rows)
        np.testing.assert_array_equal(predicted == positive, chance >= threshold)


def test_the_threshold_that_tune_found_travels_inside_the_model(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.evaluate(customers(), replace(SMALL_FOREST, threshold=0.8))
    _, predicted, probability = held_out(lab)
    np.testing.assert_array_equal(predicted == "yes", probability[:, 1] >= 0.8)
    assert (probability[:, 1] > 0.5).sum() > (predicted == "yes").sum() > 0


def test_the_figures_are_those_of_the_labels_that_would_be_served(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    metrics = lab.evaluate(customers())
    actual, predicted, _ = held_out(lab)
    for name, score in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        assert metrics[name] == pytest.approx(score(actual, predicted, pos_label="yes"))
    assert metrics["f1"] > 0.6


def test_figures_plots_and_numbers_are_kept_with_the_run(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    metrics = lab.evaluate(customers())
    run = lab.main_run
    assert run.metrics == {f"holdout.{name}": value for name, value in metrics.items()}
    assert set(metrics) == {
        *("f1", "precision", "recall", "accuracy", "pr_auc", "brier_score", "log_loss")
    }
    plots = {name: content for name, content in run.files.items() if name.endswith(".png")}
    assert set(plots) == {
        f"evaluate/{name}.png" for name in ("confusion_matrix", "precision_recall", "calibration")
    }
    assert all(content.startswith(PNG) for content in plots.values())
    assert json.loads(run.files["evaluate/metrics.json"]) == metrics
    assert lab.workspace.read_document("metrics.json", "evaluate") == metrics


def test_more_than_two_classes_are_evaluated_too(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    metrics = lab.evaluate(three_kinds(), replace(SMALL_FOREST, threshold=None))
    actual, predicted, probability = held_out(lab)
    np.testing.assert_array_equal(predicted, np.array(KINDS.classes)[probability.argmax(axis=1)])
    assert metrics["f1"] == pytest.approx(f1_score(actual, predicted, average="macro"))
    assert set(metrics) == {"f1", "precision", "recall", "accuracy", "pr_auc", "log_loss"}
    assert "evaluate/confusion_matrix.png" in lab.main_run.files


def test_labels_may_be_numbers(tmp_path: Path) -> None:
    lab, table = Lab(tmp_path), customers()
    as_numbers = table.assign(churn=(table["churn"] == "yes").astype(int))
    by_number = lab.evaluate(as_numbers, positive="1")
    assert by_number == Lab(tmp_path / "text").evaluate(table, positive="yes")


@pytest.mark.parametrize(
    ("job", "actual", "predicted", "probability", "expected"),
    [
        pytest.param(
            JOB,
            ["yes", "yes", "no", "no"],
            ["yes", "no", "yes", "no"],
            [[0.1, 0.9], [0.8, 0.2], [0.4, 0.6], [0.9, 0.1]],
            {"f1": 0.5, "precision": 0.5, "recall": 0.5, "accuracy": 0.5, "brier_score": 0.255},
            id="one of each",
        ),
        pytest.param(
            replace(JOB, positive="no"),
            ["yes", "yes", "yes", "no"],
            ["yes", "yes", "no", "no"],
            [[0.1, 0.9], [0.2, 0.8], [0.6, 0.4], [0.9, 0.1]],
            {"f1": 2 / 3, "precision": 0.5, "recall": 1, "accuracy": 0.75, "pr_auc": 1},
            id="of the positive class",
        ),
        pytest.param(
            JOB,
            ["yes", "no"],
            ["no", "no"],
            [[0.9, 0.1], [0.9, 0.1]],
            {"f1": 0, "precision": 0, "recall": 0, "pr_auc": 0.5},
            id="a model that never says yes",
        ),
        pytest.param(
            KINDS,
            ["gold", "silver", "bronze"],
            ["gold", "silver", "silver"],
            [[0, 1, 0], [0, 0, 1], [0, 0, 1]],
            {"f1": (1 + 2 / 3) / 3, "recall": 2 / 3, "precision": 0.5, "pr_auc": 0.611111},
            id="the mean over the classes",
        ),
    ],
)
def test_figures_by_hand(
    job: Job,
    actual: list[str],
    predicted: list[str],
    probability: list[list[float]],
    expected: dict[str, float],
) -> None:
    metrics = evaluate.measure(job, np.array(actual), np.array(predicted), np.array(probability))
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("file", "phase"),
    [
        ("job.json", "acquire"),
        ("train.parquet", "acquire"),
        ("features.json", "prepare"),
        ("tuned.json", "tune"),
    ],
)
def test_evaluate_names_the_phase_to_run_first(tmp_path: Path, file: str, phase: str) -> None:
    lab = Lab(tmp_path)
    lab.prepare(customers())
    SMALL_FOREST.write(lab.workspace)
    (lab.workspace.folder / file).unlink()
    with pytest.raises(PhaseMissing, match=f"terna {phase}"):
        evaluate.run(lab.session)


def test_a_model_is_loaded_only_after_evaluate(tmp_path: Path) -> None:
    with pytest.raises(PhaseMissing, match="terna evaluate"):
        evaluate.load(Lab(tmp_path).session)


def test_what_tune_found_reads_as_it_was_written(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    found = Tuned("random_forest", {"class_weight": None, "max_features": 0.3}, 0.37, 0.84)
    found.write(lab.workspace)
    assert Tuned.read(lab.workspace) == found

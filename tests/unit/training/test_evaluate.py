"""The model that will serve is tested on the hold-out, at the threshold that tune found."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.metrics import f1_score, precision_score, recall_score

from terna.errors import PhaseMissing
from terna.training import evaluate, model_file
from terna.training.prepare import Features
from tests.unit.training.lab import SMALL_FOREST, Lab, customers, three_classes

PNG = b"\x89PNG"


def held_out(lab: Lab) -> tuple[Any, Any, Any]:
    """Return the hold-out's labels, and the labels and probabilities by the saved model."""
    (inputs, actual), model = lab.held_out(), model_file.load(lab.workspace)
    return actual, model.predict(inputs), model.predict_proba(inputs)


@pytest.mark.parametrize("positive", ["yes", "no"])
def test_row_is_positive_from_the_threshold_on(tmp_path: Path, positive: str) -> None:
    lab = Lab(tmp_path)
    job = lab.prepare(customers(), positive=positive)
    features, (inputs, _) = Features.read(lab.workspace), lab.held_out()
    train = lab.workspace.read_table("train.parquet", "acquire")

    def fit(threshold: float) -> BaseEstimator:
        return evaluate.fit(replace(SMALL_FOREST, threshold=threshold), job, features, train, 0)

    probability = fit(0.5).predict_proba(inputs)[:, ["no", "yes"].index(positive)]
    for threshold in (0.0, 0.1, *probability[:3], 0.5, 0.9):
        predicted = fit(threshold).predict(inputs)
        np.testing.assert_array_equal(predicted == positive, probability >= threshold)


def test_saved_model_predicts_by_the_tuned_threshold(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.evaluate(customers(), replace(SMALL_FOREST, threshold=0.8))
    _, predicted, probability = held_out(lab)
    np.testing.assert_array_equal(predicted == "yes", probability[:, 1] >= 0.8)
    assert (probability[:, 1] > 0.5).sum() > (predicted == "yes").sum() > 0


def test_metrics_are_those_of_the_predicted_labels(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    metrics = lab.evaluate(customers())
    actual, predicted, _ = held_out(lab)
    for name, score in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        assert metrics[name] == pytest.approx(score(actual, predicted, pos_label="yes"))
    assert metrics["f1"] > 0.6


def test_metrics_and_plots_are_logged_in_the_run(tmp_path: Path) -> None:
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


def test_more_than_two_classes_have_macro_averages(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    metrics = lab.evaluate(three_classes(), replace(SMALL_FOREST, threshold=None))
    actual, predicted, probability = held_out(lab)
    np.testing.assert_array_equal(
        predicted, np.array(["bronze", "gold", "silver"])[probability.argmax(axis=1)]
    )
    assert metrics["f1"] == pytest.approx(f1_score(actual, predicted, average="macro"))
    assert set(metrics) == {"f1", "precision", "recall", "accuracy", "pr_auc", "log_loss"}
    assert "evaluate/confusion_matrix.png" in lab.main_run.files


def test_integer_labels_have_the_same_metrics_as_text(tmp_path: Path) -> None:
    lab, table = Lab(tmp_path), customers()
    as_numbers = table.assign(churn=(table["churn"] == "yes").astype(int))
    by_number = lab.evaluate(as_numbers, positive="1")
    assert by_number == Lab(tmp_path / "text").evaluate(table, positive="yes")


@pytest.mark.parametrize(
    ("file", "phase"),
    [
        ("job.json", "acquire"),
        ("train.parquet", "acquire"),
        ("features.json", "prepare"),
        ("tuned.json", "tune"),
    ],
)
def test_missing_file_names_the_phase_to_run_first(tmp_path: Path, file: str, phase: str) -> None:
    lab = Lab(tmp_path)
    lab.prepare(customers())
    SMALL_FOREST.write(lab.workspace)
    (lab.workspace.folder / file).unlink()
    with pytest.raises(PhaseMissing, match=f"terna {phase}"):
        evaluate.run(lab.session)

"""The metrics of predictions, compared with some computed by hand."""

from dataclasses import replace

import numpy as np
import pytest

from terna.training.job import Job
from terna.training.metrics import compute_metrics, f1, positive_class

JOB = Job("run", "table", "churn", ("no", "yes"), "yes", "0.25")
THREE = Job("run", "table", "churn", ("bronze", "gold", "silver"), None, "0.25")


@pytest.mark.parametrize(
    ("job", "actual", "predicted", "probability", "expected"),
    [
        pytest.param(
            JOB,
            ["yes", "yes", "no", "no"],
            ["yes", "no", "yes", "no"],
            [[0.1, 0.9], [0.8, 0.2], [0.4, 0.6], [0.9, 0.1]],
            {"f1": 0.5, "precision": 0.5, "recall": 0.5, "accuracy": 0.5, "brier_score": 0.255},
            id="one of each error",
        ),
        pytest.param(
            replace(JOB, positive="no"),
            ["yes", "yes", "yes", "no"],
            ["yes", "yes", "no", "no"],
            [[0.1, 0.9], [0.2, 0.8], [0.6, 0.4], [0.9, 0.1]],
            {"f1": 2 / 3, "precision": 0.5, "recall": 1, "accuracy": 0.75, "pr_auc": 1},
            id="other positive class",
        ),
        pytest.param(
            JOB,
            ["yes", "no"],
            ["no", "no"],
            [[0.9, 0.1], [0.9, 0.1]],
            {"f1": 0, "precision": 0, "recall": 0, "pr_auc": 0.5},
            id="nothing predicted positive",
        ),
        pytest.param(
            THREE,
            ["gold", "silver", "bronze"],
            ["gold", "silver", "silver"],
            [[0, 1, 0], [0, 0, 1], [0, 0, 1]],
            {"f1": (1 + 2 / 3) / 3, "recall": 2 / 3, "precision": 0.5, "pr_auc": 0.611111},
            id="macro average",
        ),
    ],
)
def test_metrics_equal_those_by_hand(
    job: Job,
    actual: list[str],
    predicted: list[str],
    probability: list[list[float]],
    expected: dict[str, float],
) -> None:
    metrics = compute_metrics(job, np.array(actual), np.array(predicted), np.array(probability))
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_f1_is_the_one_of_all_metrics() -> None:
    actual, predicted = np.array(["yes", "yes", "no"]), np.array(["yes", "no", "no"])
    metrics = compute_metrics(JOB, actual, predicted, np.full((3, 2), 0.5))
    assert f1(JOB, actual, predicted) == metrics["f1"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("positive", "labels", "scores"), [("yes", [1, 0], [0.8, 0.3]), ("no", [0, 1], [0.2, 0.7])]
)
def test_positive_class_has_labels_and_probabilities(
    positive: str, labels: list[int], scores: list[float]
) -> None:
    actual, probability = np.array(["yes", "no"]), np.array([[0.2, 0.8], [0.7, 0.3]])
    found = positive_class(replace(JOB, positive=positive), actual, probability)
    assert [each.tolist() for each in found] == [labels, scores]

"""How good predictions are: F1, precision, recall and the rest, of rows whose label is known."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
)
from sklearn.preprocessing import label_binarize

from terna.training.job import Job

Array = NDArray[Any]
Metrics = Mapping[str, float]


def compute_metrics(job: Job, actual: Array, predicted: Array, probability: Array) -> Metrics:
    """Compute all metrics of the predictions.

    Args:
        actual: the labels, shape (n,).
        predicted: the labels that would have been served, shape (n,).
        probability: of each class in sorted order, shape (n, classes).

    F1, precision, recall and PR-AUC are of the positive class, or the unweighted mean over the
    classes where there are more than two. The Brier score is for two classes.
    """
    metrics = {
        "f1": f1(job, actual, predicted),
        "precision": precision_score(actual, predicted, **_averaging(job)),
        "recall": recall_score(actual, predicted, **_averaging(job)),
        "accuracy": accuracy_score(actual, predicted),
        "log_loss": log_loss(actual, probability, labels=list(job.classes)),
    }
    if job.binary:
        positive, score = positive_class(job, actual, probability)
        metrics["pr_auc"] = average_precision_score(positive, score)
        metrics["brier_score"] = brier_score_loss(positive, score)
    else:
        one_hot = label_binarize(actual, classes=list(job.classes))
        metrics["pr_auc"] = average_precision_score(one_hot, probability, average="macro")
    return {name: float(value) for name, value in metrics.items()}


def f1(job: Job, actual: Array, predicted: Array) -> float:
    """Compute the metric that decides a promotion; arguments as for `compute_metrics`."""
    return float(f1_score(actual, predicted, **_averaging(job)))


def positive_class(job: Job, actual: Array, probability: Array) -> tuple[Array, Array]:
    """Return 1 or 0 for whether each row is positive, and its probability of being so.

    Both have the shape (n,); arguments as for `compute_metrics`, with two classes.
    """
    column = job.classes.index(job.positive)
    return (actual == job.positive).astype(int), np.asarray(probability[:, column])


def _averaging(job: Job) -> dict[str, Any]:
    average = {"pos_label": job.positive} if job.binary else {"average": "macro"}
    return {"zero_division": 0, **average}

"""Phase 5, evaluate: fit the winner on every training row and meet the hold-out, once.

Nothing is chosen here. The threshold comes from `tune` and becomes part of the model.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
)
from sklearn.metrics import confusion_matrix as count_confusions
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.preprocessing import label_binarize

from terna.training.job import Job
from terna.training.plots import holdout as plots
from terna.training.plots import style
from terna.training.prepare import Features, inputs
from terna.training.session import Session
from terna.training.tune import Tuned

Array = NDArray[Any]
Metrics = Mapping[str, float]

TRUSTED = (
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""What skops may load beside the types it knows: our families' trees, none of it code."""


def run(session: Session) -> Metrics:
    """Fit, predict the hold-out, and keep numbers and plots in the MLflow run.

    Raises:
        PhaseMissing: `acquire`, `prepare` or `tune` has not run.
    """
    workspace = session.workspace
    job, features, tuned = Job.read(workspace), Features.read(workspace), Tuned.read(workspace)
    train = workspace.read_table("train.parquet", "acquire")
    holdout = workspace.read_table("holdout.parquet", "acquire")
    with session.reporter.step(f"evaluating {session.name}"):
        model = fit(tuned, job, features, train, session.settings.seed)
        rows, actual = inputs(holdout, features), holdout[job.target].to_numpy()
        predicted, probability = model.predict(rows), model.predict_proba(rows)
        metrics = measure(job, actual, predicted, probability)
        workspace.write_bytes("model.skops", skops.io.dumps(model))
        workspace.write_document("metrics.json", metrics)
        session.runs.log(job.run_id, metrics={f"holdout.{k}": v for k, v in metrics.items()})
        for name, figure in draw(job, tuned, actual, predicted, probability).items():
            session.runs.log_file(job.run_id, f"evaluate/{name}.png", style.png(figure))
        session.runs.log_file(
            job.run_id, "evaluate/metrics.json", json.dumps(metrics, indent=1).encode()
        )
    session.reporter.say(
        f"evaluated  hold-out F1 {metrics['f1']:.3f}, precision {metrics['precision']:.3f},"
        f" recall {metrics['recall']:.3f}"
    )
    return metrics


def fit(
    tuned: Tuned, job: Job, features: Features, train: pd.DataFrame, seed: int
) -> BaseEstimator:
    """The model that will serve: raw features in, the label at the chosen threshold out."""
    model = tuned.unfitted(features, seed)
    if tuned.threshold is not None:
        model = FixedThresholdClassifier(
            model,
            threshold=tuned.threshold,
            pos_label=job.positive,
            response_method="predict_proba",
        )
    return model.fit(inputs(train, features), train[job.target].to_numpy())


def measure(job: Job, actual: Array, predicted: Array, probability: Array) -> Metrics:
    """The hold-out's figures.

    Args:
        actual: the labels, shape (n,).
        predicted: the labels that would have been served, shape (n,).
        probability: of each class in sorted order, shape (n, classes).

    F1, precision, recall and PR-AUC are of the positive class, or the unweighted mean over the
    classes where there are more than two. The Brier score is for two classes.
    """
    metrics = {
        "f1": f1(job, actual, predicted),
        "precision": precision_score(actual, predicted, **_scope(job)),
        "recall": recall_score(actual, predicted, **_scope(job)),
        "accuracy": accuracy_score(actual, predicted),
        "log_loss": log_loss(actual, probability, labels=list(job.classes)),
    }
    if job.binary:
        positive, chance = _of_positive(job, actual, probability)
        metrics["pr_auc"] = average_precision_score(positive, chance)
        metrics["brier_score"] = brier_score_loss(positive, chance)
    else:
        one_hot = label_binarize(actual, classes=list(job.classes))
        metrics["pr_auc"] = average_precision_score(one_hot, probability, average="macro")
    return {name: float(value) for name, value in metrics.items()}


def f1(job: Job, actual: Array, predicted: Array) -> float:
    """The figure that decides a promotion; arguments as for `measure`."""
    return float(f1_score(actual, predicted, **_scope(job)))


def draw(
    job: Job, tuned: Tuned, actual: Array, predicted: Array, probability: Array
) -> dict[str, Figure]:
    """The hold-out's plots by name; arguments as for `measure`."""
    counts = count_confusions(actual, predicted, labels=list(job.classes))
    figures = {"confusion_matrix": plots.confusion_matrix([str(c) for c in job.classes], counts)}
    if tuned.threshold is not None:
        positive, chance = _of_positive(job, actual, probability)
        figures["precision_recall"] = plots.precision_recall(positive, chance, tuned.threshold)
        figures["calibration"] = plots.calibration(positive, chance)
    return figures


def load(session: Session) -> BaseEstimator:
    """The model as `run` left it."""
    path = session.workspace.existing("model.skops", "evaluate")
    return skops.io.load(path, trusted=list(TRUSTED))


def _scope(job: Job) -> dict[str, Any]:
    averaged = {"pos_label": job.positive} if job.binary else {"average": "macro"}
    return {"zero_division": 0, **averaged}


def _of_positive(job: Job, actual: Array, probability: Array) -> tuple[Array, Array]:
    column = job.classes.index(job.positive)
    return (actual == job.positive).astype(int), np.asarray(probability[:, column])

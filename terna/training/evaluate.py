"""Phase 5, evaluate: fit the best candidate on every training row, and test it on the hold-out.

Nothing is chosen here. The threshold comes from `tune` and becomes part of the model.
"""

import json

import pandas as pd
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator
from sklearn.metrics import confusion_matrix as count_confusions
from sklearn.model_selection import FixedThresholdClassifier

from terna.training import model_file
from terna.training.job import Job
from terna.training.metrics import Array, Metrics, compute_metrics, positive_class
from terna.training.plots import holdout as plots
from terna.training.plots import style
from terna.training.prepare import Features, model_inputs
from terna.training.session import Session
from terna.training.tune import TuningResult


def run(session: Session) -> Metrics:
    """Fit, predict the hold-out, and keep metrics and plots in the MLflow run.

    Raises:
        PhaseMissing: `acquire`, `prepare` or `tune` has not run.
    """
    workspace = session.workspace
    job, features = Job.read(workspace), Features.read(workspace)
    best = TuningResult.read(workspace)
    train = workspace.read_table("train.parquet", "acquire")
    holdout = workspace.read_table("holdout.parquet", "acquire")
    with session.reporter.step(f"evaluating {session.name}"):
        model = fit(best, job, features, train, session.settings.seed)
        inputs, actual = model_inputs(holdout, features), holdout[job.target].to_numpy()
        predicted, probability = model.predict(inputs), model.predict_proba(inputs)
        metrics = compute_metrics(job, actual, predicted, probability)
        model_file.save(workspace, model)
        workspace.write_document("metrics.json", metrics)
        figures = draw_plots(job, best.threshold, actual, predicted, probability)
        _log(session, job, metrics, figures)
    session.reporter.say(
        f"evaluated  hold-out F1 {metrics['f1']:.3f}, precision {metrics['precision']:.3f},"
        f" recall {metrics['recall']:.3f}"
    )
    return metrics


def fit(
    best: TuningResult, job: Job, features: Features, train: pd.DataFrame, seed: int
) -> BaseEstimator:
    """Fit the model that will serve: raw features in, labels by the chosen threshold out."""
    model = best.build_model(features, seed)
    if best.threshold is not None:
        model = FixedThresholdClassifier(
            model,
            threshold=best.threshold,
            pos_label=job.positive,
            response_method="predict_proba",
        )
    return model.fit(model_inputs(train, features), train[job.target].to_numpy())


def draw_plots(
    job: Job, threshold: float | None, actual: Array, predicted: Array, probability: Array
) -> dict[str, Figure]:
    """Draw the hold-out's plots, by name; arrays as for `compute_metrics`."""
    counts = count_confusions(actual, predicted, labels=list(job.classes))
    figures = {"confusion_matrix": plots.confusion_matrix([str(c) for c in job.classes], counts)}
    if threshold is not None:
        positive, score = positive_class(job, actual, probability)
        figures["precision_recall"] = plots.precision_recall(positive, score, threshold)
        figures["calibration"] = plots.calibration(positive, score)
    return figures


def _log(session: Session, job: Job, metrics: Metrics, figures: dict[str, Figure]) -> None:
    runs = session.runs
    runs.log(job.run_id, metrics={f"holdout.{name}": value for name, value in metrics.items()})
    for name, figure in figures.items():
        runs.log_file(job.run_id, f"evaluate/{name}.png", style.png(figure))
    content = json.dumps(metrics, indent=1).encode()
    runs.log_file(job.run_id, "evaluate/metrics.json", content)

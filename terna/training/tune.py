"""Phase 4, tune: Optuna looks for the model with the best F1, by cross-validation alone.

The decision threshold is part of the search. It is the one with the best F1 over the out-of-fold
probabilities of the training rows, so neither model nor threshold has seen the hold-out.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import f1_score, precision_recall_curve
from sklearn.model_selection import StratifiedKFold
from sqlalchemy.exc import SQLAlchemyError
from threadpoolctl import threadpool_limits

from terna.errors import OptunaStorageUnreachable
from terna.settings import Training
from terna.training.families import FAMILIES, Params
from terna.training.job import Job
from terna.training.prepare import Features, inputs, pipeline
from terna.training.session import Session
from terna.training.workspace import Workspace

Array = NDArray[Any]

COMPLETE, PRUNED = TrialState.COMPLETE, TrialState.PRUNED

NEARLY = 0.01
"""How far below the best F1 a threshold still counts as good."""


@dataclass(frozen=True)
class Tuned:
    """The winner: everything that is needed to fit it."""

    family: str
    params: Params
    threshold: float | None
    """At which probability a row is of the positive class; None with more than two classes."""
    f1: float
    """In cross-validation: of the positive class, or the classes' mean with more than two."""

    def write(self, workspace: Workspace) -> None:
        workspace.write_document("tuned.json", asdict(self))

    @classmethod
    def read(cls, workspace: Workspace) -> Self:
        return cls(**workspace.read_document("tuned.json", "tune"))

    def unfitted(self, features: Features, seed: int) -> BaseEstimator:
        family = FAMILIES[self.family]
        return pipeline(features, family.build(self.params, seed), family.scaled)


@dataclass(frozen=True)
class Folds:
    """The training rows and how they are split: the same for every candidate."""

    rows: pd.DataFrame
    target: Array
    splits: Sequence[tuple[Array, Array]]
    positive: Any

    @classmethod
    def of(cls, rows: pd.DataFrame, target: pd.Series, job: Job, folds: int, seed: int) -> Self:
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        labels = np.asarray(target)
        return cls(rows, labels, list(splitter.split(rows, labels)), job.positive)


def run(session: Session, trials: int) -> Tuned:
    """Try `trials` candidates, each a nested MLflow run, and keep the best.

    A search that was interrupted goes on where it ended, if its study is kept in a database.

    Raises:
        PhaseMissing: `acquire` or `prepare` has not run.
        OptunaStorageUnreachable: the studies' database does not answer.
    """
    job, features = Job.read(session.workspace), Features.read(session.workspace)
    table = session.workspace.read_table("train.parquet", "acquire")
    settings = session.settings
    folds = Folds.of(inputs(table, features), table[job.target], job, settings.folds, settings.seed)
    objective = _objective(session, job, features, folds)
    with studies_answer(), session.reporter.step(f"tuning {session.name}", trials) as advance:
        study = open_study(settings, f"{session.name} {job.run_id}")
        _search(study, objective, trials, advance)
        tuned = _winner(study)
    session.workspace.forget("metrics.json", "model.skops")
    tuned.write(session.workspace)
    session.runs.log(
        job.run_id,
        params={"family": tuned.family, **tuned.params, "threshold": tuned.threshold},
        metrics={"cv.f1": tuned.f1},
    )
    session.reporter.say(
        f"tuned      {trials} candidates: {tuned.family.replace('_', ' ')} wins"
        f" with F1 {tuned.f1:.3f} in cross-validation"
    )
    return tuned


def open_study(settings: Training, name: str) -> optuna.Study:
    """Starts with each family as its library would have it; gives up early on hopeless ones.

    The study of this name, seed and folds goes on, if there is one.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=f"{name} seed {settings.seed} folds {settings.folds}",
        storage=settings.optuna_storage or None,
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=settings.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=len(FAMILIES), n_warmup_steps=1),
    )
    for family in FAMILIES.values():
        study.enqueue_trial(dict(family.start()), skip_if_exists=True)
    return study


@contextmanager
def studies_answer() -> Iterator[None]:
    """Turn the errors of the studies' database into ours."""
    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        raise OptunaStorageUnreachable(
            "The database of TERNA_TRAINING_OPTUNA_STORAGE does not answer. Is it running? Then run"
            " `terna tune` again: it goes on where it ended."
        ) from error


def best_threshold(actual: Array, probability: Array) -> tuple[float, float]:
    """The decision threshold, and the best F1 that any threshold reaches on these rows.

    Args:
        actual: whether each row is positive, shape (n,).
        probability: of being positive, shape (n,).

    The very best threshold hangs on a few customers. The mean of those around it that come within
    `NEARLY` does better on customers not seen: docs/decisions/0004-threshold.md has the figures.
    """
    precision, recall, thresholds = precision_recall_curve(actual, probability)
    f1 = (2 * precision * recall / np.maximum(precision + recall, 1e-12))[:-1]
    best = int(f1.argmax())
    worse = np.flatnonzero(f1 < f1[best] - NEARLY)
    first = max(worse[worse < best], default=-1) + 1
    last = min(worse[worse > best], default=len(f1)) - 1
    return float(thresholds[first : last + 1].mean()), float(f1[best])


def _search(
    study: optuna.Study,
    objective: Callable[[optuna.Trial], float],
    trials: int,
    advance: Callable[[], None],
) -> None:
    """Go on until the study has tried `trials` candidates to their end."""
    done = len(study.get_trials(deepcopy=False, states=(COMPLETE, PRUNED)))
    for _ in range(min(done, trials)):
        advance()
    if done < trials:
        study.optimize(objective, trials - done, callbacks=[lambda *_: advance()])


def _objective(
    session: Session, job: Job, features: Features, folds: Folds
) -> Callable[[optuna.Trial], float]:
    def objective(trial: optuna.Trial) -> float:
        started = time.monotonic()
        family = trial.suggest_categorical("family", list(FAMILIES))
        candidate = Tuned(family, FAMILIES[family].suggest(trial), None, 0)
        run_id = session.runs.start(f"trial-{trial.number:02d}", parent=job.run_id)
        session.runs.log(run_id, params={"family": family, **candidate.params})
        try:
            f1, threshold = cross_validate(
                candidate.unfitted(features, session.settings.seed), folds, trial
            )
        except optuna.TrialPruned:
            session.runs.log(run_id, tags={"terna.pruned": "true"})
            session.runs.finish(run_id)
            raise
        except BaseException:
            session.runs.finish(run_id, failed=True)
            raise
        trial.set_user_attr("params", dict(candidate.params))
        trial.set_user_attr("threshold", threshold)
        session.runs.log(run_id, metrics={"cv.f1": f1, "seconds": time.monotonic() - started})
        session.runs.finish(run_id)
        return f1

    return objective


def cross_validate(
    model: BaseEstimator, folds: Folds, trial: optuna.Trial
) -> tuple[float, float | None]:
    """F1 over all out-of-fold predictions, and the threshold it was reached with.

    Fits one fold a core, each on one thread: on small tables threads inside a fit cost more than
    they bring.

    Raises:
        optuna.TrialPruned: the first folds are worse than those of half the candidates before.
    """
    classes = np.unique(folds.target)
    probability = np.zeros((len(folds.target), len(classes)))
    seen: list[Array] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(partial(_fit_and_predict, model, folds), folds.splits)
        for number, (_, test) in enumerate(folds.splits):
            probability[test] = next(answers)
            seen.append(test)
            rows = np.concatenate(seen)
            f1, threshold = _score(folds, rows, probability[rows], classes)
            trial.report(f1, number)
            if trial.should_prune():
                pool.shutdown(cancel_futures=True)
                raise optuna.TrialPruned
    return f1, threshold


def _fit_and_predict(model: BaseEstimator, folds: Folds, split: tuple[Array, Array]) -> Array:
    """The probabilities of a fold's test rows: shape (rows, classes)."""
    train, test = split
    with threadpool_limits(1):
        fitted = clone(model).fit(folds.rows.iloc[train], folds.target[train])
        return np.asarray(fitted.predict_proba(folds.rows.iloc[test]))


def _score(
    folds: Folds, rows: Array, probability: Array, classes: Array
) -> tuple[float, float | None]:
    actual = folds.target[rows]
    if folds.positive is None:
        predicted = classes[np.argmax(probability, axis=1)]
        return float(f1_score(actual, predicted, average="macro")), None
    column = int(np.flatnonzero(classes == folds.positive)[0])
    threshold, f1 = best_threshold(actual == folds.positive, probability[:, column])
    return f1, threshold


def _winner(study: optuna.Study) -> Tuned:
    best = study.best_trial
    return Tuned(
        family=best.params["family"],
        params=best.user_attrs["params"],
        threshold=best.user_attrs["threshold"],
        f1=study.best_value,
    )

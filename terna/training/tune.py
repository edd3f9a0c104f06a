"""Phase 4, tune: search for the model with the best F1 in cross-validation, with Optuna.

Each candidate gets the decision threshold with the best F1 over its out-of-fold probabilities of
the training rows (threshold.py), so neither model nor threshold depends on the hold-out.
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
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold
from sqlalchemy.exc import SQLAlchemyError
from threadpoolctl import threadpool_limits

from terna.errors import OptunaStorageUnreachable
from terna.security import tls_errors
from terna.settings import Training
from terna.training.families import FAMILIES, Params
from terna.training.job import Job
from terna.training.prepare import Features, build_pipeline, model_inputs
from terna.training.session import Session
from terna.training.threshold import best_threshold
from terna.training.workspace import Workspace

Array = NDArray[Any]

DONE = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class TuningResult:
    """The best candidate: everything that is needed to fit it."""

    family: str
    params: Params
    threshold: float | None
    """From this probability on a row is positive; None with more than two classes."""
    f1: float
    """In cross-validation: of the positive class, or the classes' mean with more than two."""

    def write(self, workspace: Workspace) -> None:
        """Write `tuned.json`."""
        workspace.write_document("tuned.json", asdict(self))

    @classmethod
    def read(cls, workspace: Workspace) -> Self:
        """Read `tuned.json`; PhaseMissing when `tune` has not run."""
        return cls(**workspace.read_document("tuned.json", "tune"))

    def build_model(self, features: Features, seed: int) -> BaseEstimator:
        """Build the pipeline of this candidate; it is not fitted and has no threshold."""
        family = FAMILIES[self.family]
        return build_pipeline(features, family.build(self.params, seed), family.scaled)


@dataclass(frozen=True)
class Folds:
    """The training rows and their split for cross-validation, the same for every candidate."""

    inputs: pd.DataFrame
    target: Array
    splits: Sequence[tuple[Array, Array]]
    """Row numbers to train and to test on, for each fold."""
    positive: Any
    """The positive class; None with more than two."""

    @classmethod
    def split(
        cls, inputs: pd.DataFrame, target: pd.Series, positive: Any, folds: int, seed: int
    ) -> Self:
        """Split rows at random into `folds` parts that keep the classes' shares."""
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        labels = np.asarray(target)
        return cls(inputs, labels, list(splitter.split(inputs, labels)), positive)


def run(session: Session, trials: int) -> TuningResult:
    """Try `trials` candidates, each a nested MLflow run, and keep the best.

    A search that was interrupted goes on where it ended, if its study is kept in a database.

    Raises:
        PhaseMissing: `acquire` or `prepare` has not run.
        OptunaStorageUnreachable: the studies' database does not answer.
    """
    job, features = Job.read(session.workspace), Features.read(session.workspace)
    table = session.workspace.read_table("train.parquet", "acquire")
    settings = session.settings
    inputs, target = model_inputs(table, features), table[job.target]
    folds = Folds.split(inputs, target, job.positive, settings.folds, settings.seed)
    objective = _objective(session, job, features, folds)
    with (
        translate_storage_errors(),
        session.reporter.step(f"tuning {session.name}", trials) as advance,
    ):
        study = open_study(settings, f"{session.name} {job.run_id}")
        _run_trials(study, objective, trials, advance)
        best = _best_result(study)
    session.workspace.remove("metrics.json", "model.skops")
    best.write(session.workspace)
    session.runs.log(
        job.run_id,
        params={"family": best.family, **best.params, "threshold": best.threshold},
        metrics={"cv.f1": best.f1},
    )
    session.reporter.say(
        f"tuned      {trials} candidates: {best.family.replace('_', ' ')} wins"
        f" with F1 {best.f1:.3f} in cross-validation"
    )
    return best


def open_study(settings: Training, name: str) -> optuna.Study:
    """Create a study that tries each family's default first, and prunes the bad candidates.

    The study of this name, seed and folds is loaded, if there is one.
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
        study.enqueue_trial(dict(family.default_trial()), skip_if_exists=True)
    return study


@contextmanager
def translate_storage_errors() -> Iterator[None]:
    """Raise OptunaStorageUnreachable for the errors of the studies' database."""
    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        why = tls_errors.explain(error) or "Is it running?"
        raise OptunaStorageUnreachable(
            f"The database of TERNA_TRAINING_OPTUNA_STORAGE does not answer. {why} Then run"
            " `terna tune` again: it goes on where it ended."
        ) from error


def _run_trials(
    study: optuna.Study,
    objective: Callable[[optuna.Trial], float],
    trials: int,
    advance: Callable[[], None],
) -> None:
    """Run trials until the study has `trials` that ended; those of an earlier run count."""
    done = len(study.get_trials(deepcopy=False, states=DONE))
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
        candidate = TuningResult(family, FAMILIES[family].suggest(trial), None, 0)
        run_id = session.runs.start(f"trial-{trial.number:02d}", parent=job.run_id)
        session.runs.log(run_id, params={"family": family, **candidate.params})
        try:
            model = candidate.build_model(features, session.settings.seed)
            f1, threshold = cross_validate(model, folds, trial)
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
    """Return F1 over all out-of-fold predictions, and the threshold that it was reached with.

    One fold is fitted on each core, by one thread: on small tables threads inside a fit cost more
    than they bring.

    Raises:
        optuna.TrialPruned: the first folds are worse than those of half the candidates before.
    """
    classes = np.unique(folds.target)
    probability = np.zeros((len(folds.target), len(classes)))
    seen: list[Array] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        fold_probabilities = pool.map(partial(_fit_and_predict, model, folds), folds.splits)
        for number, (_, test) in enumerate(folds.splits):
            probability[test] = next(fold_probabilities)
            seen.append(test)
            rows = np.concatenate(seen)
            f1, threshold = _score(folds, rows, probability[rows], classes)
            trial.report(f1, number)
            if trial.should_prune():
                pool.shutdown(cancel_futures=True)
                raise optuna.TrialPruned
    return f1, threshold


def _fit_and_predict(model: BaseEstimator, folds: Folds, split: tuple[Array, Array]) -> Array:
    """Return the probabilities of a fold's test rows: shape (rows, classes)."""
    train, test = split
    with threadpool_limits(1):
        fitted = clone(model).fit(folds.inputs.iloc[train], folds.target[train])
        return np.asarray(fitted.predict_proba(folds.inputs.iloc[test]))


def _score(
    folds: Folds, rows: Array, probability: Array, classes: Array
) -> tuple[float, float | None]:
    """Return F1 of some rows, and the best threshold where there are two classes.

    rows: row numbers, shape (n,); probability: shape (n, classes).
    """
    actual = folds.target[rows]
    if folds.positive is None:
        predicted = classes[np.argmax(probability, axis=1)]
        return float(f1_score(actual, predicted, average="macro")), None
    column = int(np.flatnonzero(classes == folds.positive)[0])
    threshold, f1 = best_threshold(actual == folds.positive, probability[:, column])
    return f1, threshold


def _best_result(study: optuna.Study) -> TuningResult:
    trial = study.best_trial
    return TuningResult(
        family=trial.params["family"],
        params=trial.user_attrs["params"],
        threshold=trial.user_attrs["threshold"],
        f1=study.best_value,
    )

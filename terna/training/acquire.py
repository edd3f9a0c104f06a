"""Phase 1, acquire: from wherever customers are kept to a training table and a hold-out.

Everything after this phase sees only the training table; the hold-out waits for `evaluate`.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from terna.errors import DataError
from terna.registry.runs import Source
from terna.training.job import Job, TrainingRequest
from terna.training.session import Session
from terna.training.sources import location, read

LATER = ("explore.html", "features.json", "tuned.json", "metrics.json", "model.skops")
"""What later phases left of the table before."""
MOST_CLASSES = 50
FEWEST_ROWS = 2
"""Of each class in each fold of the cross-validation."""


def run(session: Session, request: TrainingRequest) -> Job:
    """Read the customers, check them, set the hold-out aside and open the MLflow run.

    Raises:
        DataError: unreadable, empty, a column missing, or a target that is none.
        TrackingUnreachable: before anything is written.
    """
    session.registry.check()
    table = tidy(select(read(request.data, request.query), request), request.target)
    classes, positive = check_target(table[request.target], request)
    held_out = holdout_mask(table[request.target], request.holdout, session.settings.seed)
    train, holdout = table[~held_out], table[held_out]
    check_split(train[request.target], holdout[request.target], classes, session.settings.folds)

    source = _describe(session.name, request, table)
    run_id = session.runs.start(session.name)
    job = Job(run_id, source.location, request.target, classes, positive, request.holdout)
    try:
        _keep(session, job, source, train, holdout)
    except BaseException:
        session.close_as_failed(run_id)
        raise
    session.reporter.say(
        f"acquired   {len(table)} customers, {table.shape[1] - 1} features from {source.location}:"
        f" {len(train)} to train, {len(holdout)} held out"
    )
    return job


def select(table: pd.DataFrame, request: TrainingRequest) -> pd.DataFrame:
    """Features first, in the order of the request, the target last."""
    features = request.features or tuple(c for c in table.columns if c != request.target)
    for column in (request.target, *features):
        if column not in table.columns:
            known = ", ".join(map(str, table.columns[:30]))
            raise DataError(f"There is no column '{column}'. The columns are: {known}.")
    if not features:
        raise DataError(f"There is no column beside the target '{request.target}' to learn from.")
    return table[[*features, request.target]].reset_index(drop=True)


def tidy(table: pd.DataFrame, target: str) -> pd.DataFrame:
    """Features as int64, float64, bool or str; rows without a target are left out.

    The others keep their row numbers as index.
    """
    table = table[table[target].notna()]
    features = {str(c): _tidy_feature(table[c]) for c in table.columns if c != target}
    return pd.DataFrame(features | {target: _tidy_target(table[target])})


def check_target(target: pd.Series, request: TrainingRequest) -> tuple[tuple[Any, ...], Any]:
    """The classes, and the positive one where there are two."""
    counts = target.value_counts()
    if len(counts) < 2:
        raise DataError(
            f"The target '{request.target}' has one class only: there is nothing to tell apart."
        )
    if len(counts) > MOST_CLASSES:
        raise DataError(
            f"The target '{request.target}' has {len(counts)} distinct values: choose a column"
            f" with 2 to {MOST_CLASSES} classes."
        )
    labels = counts.index.tolist()
    classes = tuple(sorted(labels))
    if len(classes) > 2 and request.positive:
        raise DataError(
            f"The target '{request.target}' has {len(classes)} classes: a positive one is chosen of"
            " two."
        )
    if len(classes) > 2:
        return classes, None
    return classes, _positive_class(request, classes) if request.positive else labels[-1]


def holdout_mask(target: pd.Series, holdout: str, seed: int) -> NDArray[np.bool_]:
    """Which of the rows are held out: shape (rows,). The target's index numbers rows from 0."""
    if span := re.fullmatch(r"(\d+)-(\d+)", holdout):
        first, last = int(span[1]), int(span[2])
        number = target.index.to_numpy() + 1
        if not 1 <= first <= last <= number.max():
            raise DataError(
                f"The hold-out rows {holdout} are not within the table's 1-{number.max()}."
            )
        return (first <= number) & (number <= last)
    return _random_mask(target, _share(holdout), seed)


def check_split(train: pd.Series, holdout: pd.Series, classes: Sequence[Any], folds: int) -> None:
    """Every class needs enough rows to learn from, and one to be judged by."""
    counts, needed = train.value_counts(), FEWEST_ROWS * folds
    for label in classes:
        if counts.get(label, 0) < needed:
            raise DataError(
                f"The class '{label}' has {counts.get(label, 0)} rows to train on and needs"
                f" {needed}: add customers, or leave the class out."
            )
        if not (holdout == label).any():
            raise DataError(
                f"The class '{label}' has no row in the hold-out to be judged by: hold out a"
                " larger share, or other rows."
            )


def _tidy_feature(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object).infer_objects()
    if pd.api.types.is_bool_dtype(column) and not column.hasnans:
        return column.astype("bool")
    if pd.api.types.is_integer_dtype(column) and not column.hasnans:
        return column.astype("int64")
    if pd.api.types.is_numeric_dtype(column):
        return _finite(column.astype("float64"))
    kind = pd.api.types.infer_dtype(column)
    if kind in ("date", "datetime", "datetime64"):
        raise DataError(
            f"The column '{column.name}' holds dates, which no model here learns from: name the"
            " others with --feature, or turn it into a number such as days since."
        )
    if kind in ("boolean", "decimal"):
        return _finite(column.astype("float64"))
    return column.where(column.isna(), column.astype(str)).astype("str")


def _finite(column: pd.Series) -> pd.Series:
    return column.where(np.isfinite(column))


def _tidy_target(target: pd.Series) -> pd.Series:
    """Labels that mean the same in Python, Parquet and JSON: integers, or text."""
    if pd.api.types.is_bool_dtype(target):
        return target.astype("str")
    if pd.api.types.is_float_dtype(target) and (target % 1 == 0).all():
        return target.astype("int64")
    if pd.api.types.is_integer_dtype(target):
        return target.astype("int64")
    return target.astype("str")


def _positive_class(request: TrainingRequest, classes: Sequence[Any]) -> Any:
    for label in classes:
        if str(label) == request.positive:
            return label
    raise DataError(
        f"The target '{request.target}' has no class '{request.positive}': it has"
        f" {classes[0]} and {classes[1]}."
    )


def _share(holdout: str) -> float:
    try:
        share = float(holdout)
    except ValueError:
        share = 0
    if not 0 < share < 1:
        raise DataError(f"The hold-out is a share such as 0.25 or rows such as 1-9, not {holdout}.")
    return share


def _random_mask(target: pd.Series, share: float, seed: int) -> NDArray[np.bool_]:
    fewest = target.value_counts().min()
    stratify = target if fewest >= 2 else None
    try:
        _, held_out = train_test_split(
            np.arange(len(target)), test_size=share, random_state=seed, stratify=stratify
        )
    except ValueError:
        raise DataError(f"{len(target)} rows are too few to hold out a share of {share}.") from None
    mask = np.zeros(len(target), dtype=bool)
    mask[held_out] = True
    return mask


def _keep(
    session: Session, job: Job, source: Source, train: pd.DataFrame, holdout: pd.DataFrame
) -> None:
    session.runs.log_source(job.run_id, source)
    session.runs.log(
        job.run_id,
        params={"target": job.target, "rows": len(train), "holdout_rows": len(holdout)},
    )
    session.workspace.forget(*LATER)
    session.workspace.write_table("train.parquet", train)
    session.workspace.write_table("holdout.parquet", holdout)
    job.write(session.workspace)


def _describe(name: str, request: TrainingRequest, table: pd.DataFrame) -> Source:
    digest = f"{pd.util.hash_pandas_object(table, index=False).sum():016x}"
    return Source(name, location(request.data), digest, len(table))

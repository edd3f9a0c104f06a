"""Phase 1, acquire: read the customers, clean the table and set a hold-out aside.

The phases after this one see only the training table; the hold-out is read by `evaluate`.
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
from terna.training.job import MAX_CLASSES, Job, TrainingRequest
from terna.training.session import Session
from terna.training.sources import read, redact_password

OBSOLETE_FILES = ("explore.html", "features.json", "tuned.json", "metrics.json", "model.skops")
"""What later phases wrote about the table before."""
MIN_ROWS_PER_FOLD = 2
"""Of each class, in the cross-validation."""


def run(session: Session, request: TrainingRequest) -> Job:
    """Read, clean and split the table, and open the MLflow run.

    Raises:
        DataError: unreadable, empty, a column missing, or a target that cannot be learned.
        TrackingUnreachable: nothing is written.
    """
    session.registry.check()
    target, settings = request.target, session.settings
    table = clean(select_columns(read(request.data, request.query), request), target)
    classes, positive = find_classes(table[target], request)
    train, holdout = split_holdout(table, target, request.holdout, settings.seed)
    check_class_counts(train[target], holdout[target], classes, settings.folds)

    source = _describe_source(session.name, request, table)
    run_id = session.runs.start(session.name)
    job = Job(
        run_id,
        source.location,
        target,
        classes,
        positive,
        request.holdout,
        request.allowed_identifiers,
    )
    try:
        _save(session, job, source, train, holdout)
    except BaseException:
        session.close_as_failed(run_id)
        raise
    session.reporter.say(
        f"acquired   {len(table)} customers, {table.shape[1] - 1} features from {source.location}:"
        f" {len(train)} to train, {len(holdout)} held out"
    )
    return job


def select_columns(table: pd.DataFrame, request: TrainingRequest) -> pd.DataFrame:
    """Select the features in the order of the request, and the target as the last column.

    Raises:
        DataError: a column is missing, or there is no feature.
    """
    features = request.features or tuple(c for c in table.columns if c != request.target)
    for column in (request.target, *features, *request.allowed_identifiers):
        if column not in table.columns:
            known = ", ".join(map(str, table.columns[:30]))
            raise DataError(f"There is no column '{column}'. The columns are: {known}.")
    if not features:
        raise DataError(f"There is no column beside the target '{request.target}' to learn from.")
    return table[[*features, request.target]].reset_index(drop=True)


def clean(table: pd.DataFrame, target: str) -> pd.DataFrame:
    """Drop rows without a target, and convert features to int64, float64, bool or str.

    The target becomes int64 or str. The rows that stay keep their index.

    Raises:
        DataError: a column holds dates.
    """
    table = table[table[target].notna()]
    features = {str(c): _clean_feature(table[c]) for c in table.columns if c != target}
    return pd.DataFrame(features | {target: _clean_target(table[target])})


def find_classes(target: pd.Series, request: TrainingRequest) -> tuple[tuple[Any, ...], Any]:
    """Return the sorted classes, and the positive one where there are two, else None.

    Raises:
        DataError: too few or too many classes, or the positive one asked for is none of them.
    """
    counts = target.value_counts()
    if len(counts) < 2:
        raise DataError(
            f"The target '{request.target}' has one class only: there is nothing to tell apart."
        )
    if len(counts) > MAX_CLASSES:
        raise DataError(
            f"The target '{request.target}' has {len(counts)} distinct values: choose a column"
            f" with 2 to {MAX_CLASSES} classes."
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


def split_holdout(
    table: pd.DataFrame, target: str, holdout: str, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split the table into training rows and hold-out; its index numbers rows from 0.

    Args:
        holdout: a share, drawn at random with the classes' shares, or rows such as `1-9`, from 1.

    Raises:
        DataError: no share and no rows of the table, or too few rows.
    """
    held_out = _holdout_mask(table[target], holdout, seed)
    return table[~held_out], table[held_out]


def check_class_counts(
    train: pd.Series, holdout: pd.Series, classes: Sequence[Any], folds: int
) -> None:
    """Check that every class has enough rows to train on and one in the hold-out.

    Raises:
        DataError: one has not.
    """
    counts, needed = train.value_counts(), MIN_ROWS_PER_FOLD * folds
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


def _clean_feature(column: pd.Series) -> pd.Series:
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


def _clean_target(target: pd.Series) -> pd.Series:
    """Convert labels to what means the same in Python, Parquet and JSON: integers, or text."""
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


def _holdout_mask(target: pd.Series, holdout: str, seed: int) -> NDArray[np.bool_]:
    if span := re.fullmatch(r"(\d+)-(\d+)", holdout):
        first, last = int(span[1]), int(span[2])
        number = target.index.to_numpy() + 1
        if not 1 <= first <= last <= number.max():
            raise DataError(
                f"The hold-out rows {holdout} are not within the table's 1-{number.max()}."
            )
        return (first <= number) & (number <= last)
    return _random_mask(target, _parse_share(holdout), seed)


def _parse_share(holdout: str) -> float:
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


def _save(
    session: Session, job: Job, source: Source, train: pd.DataFrame, holdout: pd.DataFrame
) -> None:
    session.runs.log_source(job.run_id, source)
    session.runs.log(
        job.run_id,
        params={"target": job.target, "rows": len(train), "holdout_rows": len(holdout)},
    )
    session.workspace.remove(*OBSOLETE_FILES)
    session.workspace.write_table("train.parquet", train)
    session.workspace.write_table("holdout.parquet", holdout)
    job.write(session.workspace)


def _describe_source(name: str, request: TrainingRequest, table: pd.DataFrame) -> Source:
    digest = f"{pd.util.hash_pandas_object(table, index=False).sum():016x}"
    return Source(name, redact_password(request.data), digest, len(table))

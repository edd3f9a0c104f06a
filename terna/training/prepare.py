"""Phase 3, prepare: choose the features, and encode them.

The encoding is part of the scikit-learn pipeline, so that clients send raw customer features.
"""

from dataclasses import asdict, dataclass
from typing import Self

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from terna.errors import DataError
from terna.training.job import Job
from terna.training.session import Session
from terna.training.workspace import Workspace

MAX_CATEGORIES = 30
"""Rarer categories of a text column share one column of the encoding."""
MAX_DISTINCT_SHARE = 0.9
"""A text column with a larger share of distinct values identifies customers."""


@dataclass(frozen=True)
class Features:
    """The columns that a model takes, and those that were left out."""

    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    order: tuple[str, ...]
    """All of them, as in the model's schema."""
    left_out: tuple[str, ...] = ()
    """`column: why`, a line each."""

    def write(self, workspace: Workspace) -> None:
        """Write `features.json`."""
        workspace.write_document("features.json", asdict(self))

    @classmethod
    def read(cls, workspace: Workspace) -> Self:
        """Read `features.json`; PhaseMissing when `prepare` has not run."""
        document = workspace.read_document("features.json", "prepare")
        return cls(**{key: tuple(value) for key, value in document.items()})


def run(session: Session) -> Features:
    """Choose the features by the training table alone.

    Raises:
        PhaseMissing: `acquire` has not run.
        DataError: no column is left to learn from.
    """
    job = Job.read(session.workspace)
    table = session.workspace.read_table("train.parquet", "acquire")
    features = choose_features(table.drop(columns=job.target))
    session.workspace.remove("tuned.json", "metrics.json", "model.skops")
    features.write(session.workspace)
    session.runs.log(job.run_id, params={"features": len(features.order)})
    session.reporter.say(
        f"prepared   {len(features.numbers)} numbers and {len(features.texts)} texts"
        + "".join(f"\n           left out {line}" for line in features.left_out)
    )
    return features


def choose_features(table: pd.DataFrame) -> Features:
    """Choose all columns but constants and identifiers.

    Raises:
        DataError: none is left.
    """
    reasons = {column: _reason_to_drop(table[column]) for column in table.columns}
    kept = tuple(column for column, reason in reasons.items() if not reason)
    if not kept:
        raise DataError("No column is left to learn from: each is constant or an identifier.")
    return Features(
        numbers=tuple(c for c in kept if _is_number(table[c])),
        texts=tuple(c for c in kept if not _is_number(table[c])),
        order=kept,
        left_out=tuple(f"{column}: {reason}" for column, reason in reasons.items() if reason),
    )


def model_inputs(table: pd.DataFrame, features: Features) -> pd.DataFrame:
    """Select the features of a table, in the model's order: shape (rows, features)."""
    return table[list(features.order)]


def build_pipeline(features: Features, estimator: BaseEstimator, scaled: bool) -> Pipeline:
    """Build a pipeline that encodes raw customer features for `estimator`; it is not fitted.

    Trees take numbers as they are, missing values included; `scaled` is for models that do not.
    """
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    encoding = ColumnTransformer(
        [
            ("text", _one_hot_encoder(), list(features.texts)),
            ("number", numbers if scaled else "passthrough", list(features.numbers)),
        ],
        verbose_feature_names_out=False,
    )
    return Pipeline([("prepare", encoding), ("model", estimator)])


def _one_hot_encoder() -> OneHotEncoder:
    """Encode each category as a column; one that training never saw is all zeros."""
    return OneHotEncoder(
        handle_unknown="ignore", max_categories=MAX_CATEGORIES, sparse_output=False
    )


def _reason_to_drop(column: pd.Series) -> str:
    """Return why a column is left out, or an empty text when it stays."""
    distinct = column.nunique(dropna=False)
    if distinct < 2:
        return "one value only"
    if not _is_number(column) and distinct > MAX_CATEGORIES and _is_identifier(column):
        return "nearly every row has its own value, it names customers"
    return ""


def _is_identifier(column: pd.Series) -> bool:
    return bool(column.nunique() > MAX_DISTINCT_SHARE * column.count())


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column)

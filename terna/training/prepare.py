"""Phase 3, prepare: which columns a model learns from, and how it reads them.

The encoding lives inside the scikit-learn pipeline, so that clients send raw customer features.
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

MOST_CATEGORIES = 30
"""Rarer categories of a text column share one column of the encoding."""
IDENTIFIER = 0.9
"""A text column with this share of distinct values names customers instead of describing them."""


@dataclass(frozen=True)
class Features:
    """The columns that a model takes, in the signature's order, and what was left out."""

    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    order: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    """`column: why`, a line each."""

    def write(self, workspace: Workspace) -> None:
        workspace.write_document("features.json", asdict(self))

    @classmethod
    def read(cls, workspace: Workspace) -> Self:
        document = workspace.read_document("features.json", "prepare")
        return cls(**{key: tuple(value) for key, value in document.items()})


def run(session: Session) -> Features:
    """Settle the features by looking at the training table only.

    Raises:
        PhaseMissing: `acquire` has not run.
        DataError: no column is left to learn from.
    """
    job = Job.read(session.workspace)
    table = session.workspace.read_table("train.parquet", "acquire")
    features = choose(table.drop(columns=job.target))
    session.workspace.forget("tuned.json", "metrics.json", "model.skops")
    features.write(session.workspace)
    session.runs.log(job.run_id, params={"features": len(features.order)})
    session.reporter.say(
        f"prepared   {len(features.numbers)} numbers and {len(features.texts)} texts"
        + "".join(f"\n           left out {line}" for line in features.left_out)
    )
    return features


def choose(table: pd.DataFrame) -> Features:
    """Every column that says something, by kind."""
    reasons = {column: _useless(table[column]) for column in table.columns}
    kept = tuple(column for column, reason in reasons.items() if not reason)
    if not kept:
        raise DataError("No column is left to learn from: each is constant or an identifier.")
    return Features(
        numbers=tuple(c for c in kept if _is_number(table[c])),
        texts=tuple(c for c in kept if not _is_number(table[c])),
        order=kept,
        left_out=tuple(f"{column}: {reason}" for column, reason in reasons.items() if reason),
    )


def inputs(table: pd.DataFrame, features: Features) -> pd.DataFrame:
    """The rows as MLflow hands them to the model: numbers and str, NaN where missing."""
    return table[list(features.order)]


def pipeline(features: Features, estimator: BaseEstimator, scaled: bool) -> Pipeline:
    """Raw customer features in, what `estimator` predicts out.

    Trees take numbers as they are, missing values included; `scaled` is for models that do not.
    """
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    encoding = ColumnTransformer(
        [
            ("text", _encoder(), list(features.texts)),
            ("number", numbers if scaled else "passthrough", list(features.numbers)),
        ],
        verbose_feature_names_out=False,
    )
    return Pipeline([("prepare", encoding), ("model", estimator)])


def _encoder() -> OneHotEncoder:
    """One column a category; a category never seen in training is all zeros."""
    return OneHotEncoder(
        handle_unknown="ignore", max_categories=MOST_CATEGORIES, sparse_output=False
    )


def _useless(column: pd.Series) -> str:
    """Why a column is left out; empty when it stays."""
    distinct = column.nunique(dropna=False)
    if distinct < 2:
        return "one value only"
    if not _is_number(column) and distinct > MOST_CATEGORIES and _share(column) > IDENTIFIER:
        return "nearly every row has its own value, it names customers"
    return ""


def _share(column: pd.Series) -> float:
    return column.nunique() / max(1, column.count())


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column)

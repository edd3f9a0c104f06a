"""Phase 3, prepare: choose the features, and encode them.

The encoding is part of the scikit-learn pipeline, so that clients send raw customer features.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from terna.errors import DataError
from terna.training.identifiers import MIN_CUSTOMERS, shared_values, why_identifier
from terna.training.job import Job
from terna.training.session import Session
from terna.training.workspace import Workspace

MAX_CATEGORIES = 30
"""A text column's most frequent categories that are kept apart, at most."""


@dataclass(frozen=True)
class Features:
    """The columns that a model takes, and those that were left out."""

    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    order: tuple[str, ...]
    """All of them, as in the model's schema."""
    categories: tuple[tuple[str | None, ...], ...]
    """Of each text, sorted: those that enough customers share; None stands for a missing value."""
    left_out: tuple[str, ...] = ()
    """`column: why`, a line each."""

    def write(self, workspace: Workspace) -> None:
        """Write `features.json`."""
        workspace.write_document("features.json", asdict(self))

    @classmethod
    def read(cls, workspace: Workspace) -> Self:
        """Read `features.json`; PhaseMissing when `prepare` has not run."""
        document = workspace.read_document("features.json", "prepare")
        categories = tuple(map(tuple, document.pop("categories")))
        lists = {key: tuple(value) for key, value in document.items()}
        return cls(**lists, categories=categories)


def run(session: Session) -> Features:
    """Choose the features by the training table alone.

    Raises:
        PhaseMissing: `acquire` has not run.
        DataError: no column is left to learn from.
    """
    job = Job.read(session.workspace)
    table = session.workspace.read_table("train.parquet", "acquire")
    features = choose_features(table.drop(columns=job.target), job.allowed_identifiers)
    session.workspace.remove("tuned.json", "metrics.json", "model.skops")
    features.write(session.workspace)
    session.runs.log(job.run_id, params={"features": len(features.order)})
    session.reporter.say(
        f"prepared   {len(features.numbers)} numbers and {len(features.texts)} texts"
        + "".join(f"\n           left out {line}" for line in features.left_out)
    )
    return features


def choose_features(table: pd.DataFrame, allowed: Sequence[str] = ()) -> Features:
    """Choose all columns but constants and identifiers, by the training rows.

    Args:
        allowed: identifiers that are kept nevertheless.

    Raises:
        DataError: none is left.
    """
    reasons = {str(c): _reason_to_drop(str(c), table[c], c in allowed) for c in table.columns}
    kept = tuple(column for column, reason in reasons.items() if not reason)
    if not kept:
        raise DataError(
            "No column is left to learn from: each is constant or an identifier."
            " `--allow-identifier COLUMN` keeps one."
        )
    texts = tuple(c for c in kept if not _is_number(table[c]))
    return Features(
        numbers=tuple(c for c in kept if _is_number(table[c])),
        texts=texts,
        order=kept,
        categories=tuple(_categories(table[c]) for c in texts),
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
            ("text", _one_hot_encoder(features), list(features.texts)),
            ("number", numbers if scaled else "passthrough", list(features.numbers)),
        ],
        verbose_feature_names_out=False,
    )
    return Pipeline([("prepare", encoding), ("model", estimator)])


def _one_hot_encoder(features: Features) -> OneHotEncoder:
    """Encode each category as a column; a rare one, and one never seen, is all zeros.

    The encoder is told its categories: those that it would learn itself stay in the model's file,
    the rare ones too.
    """
    categories = [
        np.array([np.nan if c is None else c for c in known], dtype=object)
        for known in features.categories
    ]
    return OneHotEncoder(categories=categories, handle_unknown="ignore", sparse_output=False)


def _categories(column: pd.Series) -> tuple[str | None, ...]:
    """Return the most frequent categories that enough customers share, a missing value last."""
    shared = shared_values(column).head(MAX_CATEGORIES).index
    known = sorted(str(category) for category in shared if not pd.isna(category))
    return (*known, None) if shared.hasnans else tuple(known)


def _reason_to_drop(name: str, column: pd.Series, allowed: bool) -> str:
    """Return why a column is left out, or an empty text when it stays."""
    if column.nunique(dropna=False) < 2:
        return "one value only"
    if not allowed and (why := why_identifier(name, column)):
        return f"{why}, it identifies customers; `--allow-identifier {name}` keeps it"
    if not _is_number(column) and not _categories(column):
        return f"no value is shared by {MIN_CUSTOMERS} customers"
    return ""


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column)

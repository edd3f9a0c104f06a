"""What deserves a look in a table: leaks, identifiers, duplicates, imbalance, missing values."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from terna.training.exploration.profile import ColumnProfile
from terna.training.job import MAX_CLASSES
from terna.training.plots import style
from terna.training.plots.table import spearman

LEAK_RELATION = 0.8
MAX_MISSING_SHARE = 0.3
MAX_CORRELATION = 0.95
IMBALANCE_RATIO = 5
MIN_ROWS_OF_CLASS = 10


@dataclass(frozen=True)
class Finding:
    """Something worth knowing: a sentence, and the columns or classes that it is about."""

    topic: str
    sentence: str
    subjects: tuple[str, ...] = ()


def find_all(
    target: str,
    unlabelled: int,
    classes: pd.Series,
    profiles: list[ColumnProfile],
    sample: pd.DataFrame,
) -> list[Finding]:
    """List what stands out in the target, in single columns and in pairs of columns.

    Args:
        unlabelled: how many rows have no target.
        classes: the targets that are known, categorical, shape (rows,).
        sample: feature values, shape (sampled rows, columns), for the correlations.
    """
    return [
        *find_in_target(target, unlabelled, classes),
        *find_in_columns(profiles),
        *find_correlated_pairs(sample),
    ]


def find_in_target(target: str, unlabelled: int, classes: pd.Series) -> Iterator[Finding]:
    """Find missing targets, too few or too many classes, imbalance and rare classes."""
    counts = classes.value_counts()
    most, least = counts.index[0], counts.index[-1]
    if unlabelled:
        yield Finding(
            "Rows without a target",
            f"{unlabelled:,} rows have no value of {target}: this report leaves them out.",
        )
    if len(counts) == 1:
        yield Finding("One class only", "There is nothing to tell apart.")
    if len(counts) > MAX_CLASSES:
        yield Finding(
            "Many classes",
            f"{target} has {len(counts):,} distinct values: is it a number to estimate rather than"
            " a class to predict?",
        )
    if counts.iloc[0] >= IMBALANCE_RATIO * counts.iloc[-1]:
        yield Finding(
            "Strong imbalance",
            f"{most} is {counts.iloc[0] / counts.iloc[-1]:.1f} times as frequent as {least}, and"
            f" always answering {most} is right for {counts.iloc[0] / len(classes):.1%} of the"
            " rows. Accuracy hides how the rare classes fare: look at their precision, recall"
            " and F1.",
        )
    rare = counts[counts < MIN_ROWS_OF_CLASS]
    if len(rare):
        yield Finding(
            "Rare classes",
            f"Fewer than {MIN_ROWS_OF_CLASS} rows each: too few to learn from and to be judged by.",
            tuple(f"{name} ({count})" for name, count in rare.items()),
        )


def find_in_columns(profiles: list[ColumnProfile]) -> Iterator[Finding]:
    """Find leaks, identifiers, numbers kept as text, and columns with little or no content."""
    yield from _if_any(
        "Nearly gives the target away",
        f"Takes away more than {LEAK_RELATION:.0%} of the target's entropy: wonderful if it is"
        " known before the target is, and a leak otherwise.",
        [profile.name for profile in profiles if profile.relation > LEAK_RELATION],
    )
    yield from _if_any(
        "Looks like an identifier",
        "Values hardly ever repeat, so a model can only learn them by heart. Its values are not"
        " listed.",
        [profile.name for profile in profiles if profile.identifier],
    )
    yield from _if_any(
        "Numbers written as text",
        "Nearly all values read as numbers: should the column be one?",
        [profile.name for profile in profiles if profile.numbers_as_text],
    )
    yield from _if_any(
        "Constant",
        "One value only: a model learns nothing from it.",
        [profile.name for profile in profiles if profile.distinct == 1],
    )
    yield from _if_any(
        "Empty",
        "Every value is missing.",
        [profile.name for profile in profiles if profile.distinct == 0],
    )
    yield from _if_any(
        "Much is missing",
        f"More than {MAX_MISSING_SHARE:.0%} of the rows have no value.",
        [
            f"{profile.name} ({style.format_share(profile.missing)})"
            for profile in profiles
            if MAX_MISSING_SHARE < profile.missing < 1
        ],
    )


def find_correlated_pairs(sample: pd.DataFrame) -> Iterator[Finding]:
    """Find pairs of numeric columns that rise or fall together, the strongest first."""
    ranks = spearman(sample)
    upper = np.triu(ranks.abs().fillna(0).to_numpy(), k=1)
    rows, columns = np.nonzero(upper > MAX_CORRELATION)
    if len(rows):
        strongest = np.argsort(-upper[rows, columns], kind="stable")
        yield Finding(
            "Nearly the same thing twice",
            f"Rank correlation beyond ±{MAX_CORRELATION}: one column of each pair would do.",
            tuple(_describe_pair(ranks, rows[each], columns[each]) for each in strongest),
        )


def _if_any(topic: str, sentence: str, subjects: list[str]) -> Iterator[Finding]:
    if subjects:
        yield Finding(topic, sentence, tuple(subjects))


def _describe_pair(ranks: pd.DataFrame, row: int, column: int) -> str:
    value = float(ranks.to_numpy()[row, column])
    return f"{ranks.columns[row]} & {ranks.columns[column]} ({value:+.3f})"

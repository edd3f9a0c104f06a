"""What each column of a table is, and how strongly it is related to the target.

A profile shows no customer: values that few share and columns that look like identifiers are
counted but never named.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_any_real_numeric_dtype
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

from terna.errors import DataError
from terna.training.identifiers import MIN_CUSTOMERS, shared_values, why_identifier
from terna.training.plots import style
from terna.training.plots.table import as_classes

TOP_CATEGORIES = 4
BINS = 10
"""A number with more distinct values is cut into this many equally full bins to relate it."""
NUMERIC_TEXT_SHARE = 0.95
"""With a larger share of texts that read as numbers a column is likely to be one of numbers."""


@dataclass(frozen=True)
class ColumnProfile:
    """The summary of one column: its kind, its values, and its relation to the target."""

    name: str
    kind: str
    """`number` or `text`."""
    missing: float
    """Share of rows, 0..1."""
    distinct: int
    """Distinct values, missing ones left out."""
    relation: float
    """Share of the target's entropy that the column takes away, beyond chance, 0..1."""
    identifier: bool
    numbers_as_text: bool
    quantiles: tuple[str, ...] = ()
    """Low, median and high of a number, each rounded until enough customers share it.

    Low and high are those that `MIN_CUSTOMERS` are below or above, or at.
    """
    categories: tuple[tuple[str, str], ...] = ()
    """The most frequent categories of a text, each with its share of the known rows."""

    @property
    def drawable(self) -> bool:
        """Whether its distribution says something and shows no customer."""
        return self.distinct > 1 and not self.identifier


def split_target(table: pd.DataFrame, target: str) -> tuple[pd.DataFrame, pd.Series]:
    """Return the feature columns and the classes of the rows whose target is known.

    The columns are numbers or text, shape (rows, columns - 1); the classes are categories of text,
    shape (rows,). The table itself is left as it is.

    Raises:
        DataError: the target is no column of the table, is empty, or columns share a name.
    """
    named = table.set_axis([str(name) for name in table.columns], axis=1)
    _check_target(named, target)
    known = named[named[target].notna()].reset_index(drop=True)
    columns = {name: _number_or_text(col) for name, col in known.items() if name != target}
    return pd.DataFrame(columns, index=known.index), as_classes(known[target])


def profile_columns(
    columns: pd.DataFrame, sample: pd.DataFrame, classes: pd.Series
) -> list[ColumnProfile]:
    """Profile each column; the one most strongly related to the target comes first.

    Args:
        columns: numbers and text, shape (rows, columns).
        sample: some rows of `columns`, over which the relation is computed.
        classes: the target of the sample's rows, categorical, shape (sampled rows,).
    """
    codes = classes.cat.codes.to_numpy()
    profiles = [
        _profile_column(str(name), column, sample[name], codes) for name, column in columns.items()
    ]
    return sorted(profiles, key=lambda profile: -profile.relation)


def uncertainty_coefficient(column: pd.Series, classes: NDArray[np.integer]) -> float:
    """Compute the uncertainty coefficient (Theil's U) of the classes given the column.

    column: (rows,); classes: (rows,) codes. Mutual information over the classes' entropy, with
    the mutual information expected of a shuffled column taken off both: an identifier gets 0.
    """
    table = contingency_matrix(classes, _binned_codes(column), sparse=True)
    by_chance = expected_mutual_information(table, len(classes))
    possible = mutual_info_score(classes, classes) - by_chance
    if possible < 1e-9:
        return 0.0
    shared = mutual_info_score(None, None, contingency=table) - by_chance
    return float(np.clip(shared / possible, 0, 1))


def _check_target(table: pd.DataFrame, target: str) -> None:
    if target not in table.columns:
        raise DataError(f"The table has no column '{target}': choose the target among its columns.")
    duplicates = table.columns[table.columns.duplicated()]
    if len(duplicates):
        raise DataError(f"Several columns are called '{duplicates[0]}': rename all but one.")
    if table[target].isna().all():
        raise DataError(f"The target '{target}' has no value in any row: choose another column.")


def _number_or_text(column: pd.Series) -> pd.Series:
    """Keep a column of numbers, and turn every other one into text."""
    return column if is_any_real_numeric_dtype(column.dtype) else column.astype("str")


def _profile_column(
    name: str, column: pd.Series, sample: pd.Series, classes: NDArray[np.integer]
) -> ColumnProfile:
    known = column.dropna()
    distinct = known.nunique()
    is_number = is_any_real_numeric_dtype(column.dtype)
    identifier = bool(why_identifier(name, column))
    return ColumnProfile(
        name=name,
        kind="number" if is_number else "text",
        missing=float(column.isna().mean()),
        distinct=distinct,
        relation=uncertainty_coefficient(sample, classes),
        identifier=identifier,
        numbers_as_text=not is_number and _reads_as_numbers(sample.dropna()),
        quantiles=_quantiles(known) if is_number and not identifier else (),
        categories=_top_categories(known) if not is_number and not identifier else (),
    )


def _reads_as_numbers(texts: pd.Series) -> bool:
    readable = pd.to_numeric(texts, errors="coerce").notna()
    return not texts.empty and bool(readable.mean() > NUMERIC_TEXT_SHARE)


def _quantiles(known: pd.Series) -> tuple[str, ...]:
    numbers = np.sort(known.to_numpy(np.float64))
    if len(numbers) < 2 * MIN_CUSTOMERS:
        return ()
    chosen = numbers[MIN_CUSTOMERS - 1], np.median(numbers), numbers[-MIN_CUSTOMERS]
    return tuple(_format_number(_round_until_shared(float(q), numbers)) for q in chosen)


def _round_until_shared(number: float, numbers: NDArray[np.float64]) -> float:
    """Round a number to at most 4 digits, and so far that enough of the numbers round to it."""
    if not np.isfinite(number):
        return number
    size = np.floor(np.log10(abs(number) or np.abs(numbers[np.isfinite(numbers)]).max() or 1))
    for digits in range(4, -2, -1):
        step = 10.0 ** (size - digits + 1)
        if np.sum(np.round(numbers / step) == np.round(number / step)) >= MIN_CUSTOMERS:
            break
    return float(np.round(number / step) * step)


def _top_categories(known: pd.Series) -> tuple[tuple[str, str], ...]:
    """List the most frequent categories of those that enough customers share."""
    top = shared_values(known).head(TOP_CATEGORIES)
    return tuple(
        (style.label(name, 40), style.format_share(count / len(known)))
        for name, count in top.items()
    )


def _format_number(number: float) -> str:
    if 1000 <= abs(number) < 1e15:
        return f"{number:,.0f}"
    return f"{number:.4g}"


def _binned_codes(column: pd.Series) -> NDArray[np.integer]:
    """Return codes of the column's values or deciles; missing values have a code of their own."""
    if is_any_real_numeric_dtype(column.dtype) and column.nunique() > BINS:
        return pd.factorize(_deciles(column))[0]
    return pd.factorize(column)[0]


def _deciles(column: pd.Series) -> pd.Series:
    """Return the decile of each value's rank, 1..10; equal values share one."""
    return (column.rank(pct=True) * BINS).apply(np.ceil)

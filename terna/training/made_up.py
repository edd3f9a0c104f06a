"""Rows that are no customer's: the input example and the reference rows of a version.

Each column is drawn on its own, so that no row is one of the table. A value is one that enough
customers share, or lies between quantiles.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from terna.training.identifiers import MIN_CUSTOMERS, shared_values

ROWS = 300
"""Reference rows of a version: at least as many of a model's splits have rows on both sides as with
200 rows of the hold-out (docs/decisions/0029-no-person-outside.md)."""
OTHER = "other"
"""What stands for all texts that few customers share."""
KNOTS = 20
"""Numbers are drawn between so many quantiles: the quantiles themselves may be customers' own."""
SHARED_SHARE = 0.95
"""Share of the customers whose number enough others share, from which on these are drawn."""


def draw_rows(table: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """Draw rows like those of a table, shape (count, columns), with the table's types."""
    random = np.random.default_rng(seed)
    drawn = {name: _draw(column, count, random) for name, column in table.items()}
    return pd.DataFrame(drawn).astype(table.dtypes)


def example_row(table: pd.DataFrame) -> pd.DataFrame:
    """Make one row of medians, rounded, and of the most frequent texts: shape (1, columns)."""
    row = {name: [_typical(column)] for name, column in table.items()}
    return pd.DataFrame(row).astype(table.dtypes)


def _draw(column: pd.Series, count: int, random: Generator) -> NDArray[Any]:
    known = column.dropna()
    if is_numeric_dtype(column.dtype) and not _is_shared(known):
        cells = _between_quantiles(known, count, random).astype(object)
    else:
        cells = _shared(known, count, random)
    missing = column.isna().mean()
    gaps = max(round(missing * count), 1) if missing else 0
    cells[:gaps] = np.nan
    random.shuffle(cells)
    return cells


def _is_shared(known: pd.Series) -> bool:
    """Tell whether nearly all customers share their values with enough others."""
    return bool(shared_values(known).sum() >= SHARED_SHARE * len(known))


def _between_quantiles(known: pd.Series, count: int, random: Generator) -> NDArray[np.float64]:
    """Draw numbers from the distribution, without its ends, which few customers make."""
    inner = np.sort(known.to_numpy(np.float64))
    rare = min(MIN_CUSTOMERS, len(inner) // 4)
    knots = np.quantile(inner[rare : len(inner) - rare], np.linspace(0, 1, KNOTS + 1))
    levels = (np.arange(count) + random.random(count)) / count
    numbers = np.interp(levels, np.linspace(0, 1, KNOTS + 1), knots)
    return random.permutation(np.round(numbers, _decimals(known)))


def _shared(known: pd.Series, count: int, random: Generator) -> NDArray[Any]:
    """Draw values that enough customers share, by their shares but each of them at least once."""
    counts = shared_values(known)
    values = counts.index.to_list()
    if not is_numeric_dtype(known.dtype) and (len(counts) < known.nunique() or not values):
        values.append(OTHER)
    if not values:
        values = [_typical(known)]
    weights = np.array([*counts, *[MIN_CUSTOMERS] * (len(values) - len(counts))], np.float64)
    more = random.choice(len(values), count, p=weights / weights.sum())
    cells = np.empty(count, object)
    cells[:] = [values[i] for i in [*range(len(values)), *more][:count]]
    return random.permutation(cells)


def _typical(column: pd.Series) -> Any:
    known = column.dropna()
    if is_bool_dtype(column.dtype):
        return bool(known.mean() > 0.5)
    if is_numeric_dtype(column.dtype):
        return float(f"{known.median():.2g}") if len(known) else 0.0
    shared = shared_values(known)
    return shared.index[0] if len(shared) else OTHER


def _decimals(known: pd.Series) -> int:
    """Return how many decimals the numbers have, up to 6."""
    numbers = known.to_numpy(np.float64)
    return next((d for d in range(6) if np.allclose(numbers, np.round(numbers, d), 0, 1e-9)), 6)

"""The tables from which models learn; the same at each call."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SAMPLE = 24
"""Rows of a table that the corpus sends."""


def customers(count: int = 200) -> pd.DataFrame:
    """Texts, numbers and truths; some numbers and texts are missing, and cities are many."""
    random = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "minutes": random.normal(100, 30, count),
            "plan": pd.Series(random.choice(["basic", "extra", "größer"], count), dtype="str"),
            "calls": random.integers(0, 9, count),
            "vip": random.random(count) < 0.3,
            "city": pd.Series([f"city {i}" for i in random.geometric(0.05, count)], dtype="str"),
        }
    )
    table.loc[::7, "minutes"] = np.nan
    table.loc[3::11, "plan"] = None
    return table


def numbers(count: int = 200) -> pd.DataFrame:
    """Numbers of each width, none missing."""
    random = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "income": random.normal(3000, 900, count),
            "age": random.integers(18, 90, count),
            "share": random.random(count).astype("float32"),
            "children": random.integers(0, 5, count).astype("int32"),
            "balance": random.normal(0, 1e5, count),
        }
    )


def target(table: pd.DataFrame) -> NDArray[Any]:
    """Return a number to learn, which depends on every number of a table."""
    columns = table.select_dtypes(["number", "bool"]).astype(float)
    scaled = (columns - columns.mean()) / columns.std()
    return np.asarray(scaled.fillna(0).sum(axis=1) * np.arange(1, len(table) + 1) ** 0.01)


def counts(table: pd.DataFrame) -> NDArray[Any]:
    """Return a count to learn."""
    return np.clip(np.round(target(table) + 4), 0, 20).astype(int)


def classes(table: pd.DataFrame, *names: Any) -> NDArray[Any]:
    """Return as many classes to learn as names."""
    edges = np.quantile(target(table), np.linspace(0, 1, len(names) + 1)[1:-1])
    return np.asarray(names)[np.searchsorted(edges, target(table))]


def cells(table: pd.DataFrame) -> list[list[Any]]:
    """Return a table's rows as JSON has them: null for what is missing, ISO 8601 for moments."""
    values = table.astype(object).where(table.notna(), None).to_numpy().tolist()
    return [[c.isoformat() if isinstance(c, pd.Timestamp) else c for c in row] for row in values]

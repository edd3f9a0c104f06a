"""Which columns name customers: the one rule of `explore` and `prepare`.

A model can only learn such a column by heart, and what it has learnt leaves this server with it.
Numbers that are measured, such as minutes or prices, are none, however seldom they repeat.
"""

import re

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from terna.contracts.identifiers import DATE, EMAIL, PHONE, is_identifier

MIN_CUSTOMERS = 10
"""A value that fewer customers share is nobody's business: it leaves this server in no form."""
MIN_ROWS = 20
"""With fewer values it proves nothing that they differ."""
FEW_VALUES = 30
"""Whatever a column is called: with so few values it names groups."""
MAX_DISTINCT_NUMBERS = 0.99
"""Share of whole numbers that differ, beyond which they are a key; incomes reach 0.97."""
MAX_DISTINCT_TEXTS = 0.5
"""Share of texts that differ, beyond which they name customers, or are prose."""
PATTERN_SHARE = 0.9
"""Share of texts of one form, from which on the column has that form."""


def why_identifier(name: str, column: pd.Series) -> str:
    """Return why a column identifies customers, in a few words; empty when it does not."""
    known = column.dropna()
    distinct = known.nunique()
    if is_bool_dtype(known.dtype) or len(known) < MIN_ROWS:
        return ""
    if is_numeric_dtype(known.dtype):
        return _why_number(name, known, distinct)
    return _why_text(name, known.astype(str), distinct)


def shared_values(column: pd.Series) -> pd.Series:
    """Count the values that at least `MIN_CUSTOMERS` rows share, the most frequent first.

    A missing value counts as one.
    """
    counts = column.value_counts(dropna=False)
    return counts[counts >= MIN_CUSTOMERS]


def _why_number(name: str, known: pd.Series, distinct: int) -> str:
    if not (known % 1 == 0).all():
        return ""
    if distinct >= MAX_DISTINCT_NUMBERS * len(known):
        return "whole numbers that hardly ever repeat"
    return _why_name(name, distinct)


def _why_text(name: str, known: pd.Series, distinct: int) -> str:
    if _share(known, EMAIL) > PATTERN_SHARE:
        return "e-mail addresses"
    if distinct > MAX_DISTINCT_TEXTS * len(known):
        return "texts that seldom repeat"
    if distinct > FEW_VALUES and _share(known, PHONE, but=DATE) > PATTERN_SHARE:
        return "phone numbers"
    return _why_name(name, distinct)


def _why_name(name: str, distinct: int) -> str:
    return "named like an identifier" if distinct > FEW_VALUES and is_identifier(name) else ""


def _share(texts: pd.Series, form: re.Pattern[str], but: re.Pattern[str] | None = None) -> float:
    """Return the share of texts that have a form, and do not have another one."""
    hits = [bool(form.fullmatch(t)) and not (but and but.fullmatch(t)) for t in texts]
    return sum(hits) / len(hits)

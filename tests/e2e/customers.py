"""Real customers, as an ERP has them: the churn data set's hold-out and files made from it."""

from pathlib import Path

import pandas as pd

from terna.training.job import CHURN, CHURN_FEATURES
from terna.training.sources import read

HOLDOUT = slice(3333, 5000)


def churn() -> pd.DataFrame:
    """The 12 features and the target of 5000 customers."""
    return read(CHURN)[[*CHURN_FEATURES, "churn"]]


def holdout_rows(count: int) -> list[list[object]]:
    """Raw feature values of hold-out customers, in the signature's order."""
    rows = churn()[list(CHURN_FEATURES)].iloc[HOLDOUT].head(count)
    return rows.astype(object).to_numpy().tolist()


def write_misleading_table(path: Path) -> None:
    """Training rows whose labels are drawn by lot, and the true hold-out."""
    table = churn()
    drawn = table["churn"].iloc[: HOLDOUT.start].sample(frac=1, random_state=0).to_numpy()
    table.loc[table.index[: HOLDOUT.start], "churn"] = drawn
    table.to_csv(path, index=False)

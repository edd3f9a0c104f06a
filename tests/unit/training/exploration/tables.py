"""A table to explore that nothing is wrong with."""

import numpy as np
import pandas as pd

ROWS = 400


def customers(rows: int = ROWS) -> pd.DataFrame:
    """Noise, a number that tells who leaves, a text that does not, and who left."""
    random = np.random.default_rng(5)
    churn = np.where(np.arange(rows) % 4 == 0, "yes", "no")
    return pd.DataFrame(
        {
            "noise": random.normal(size=rows),
            "minutes": random.normal(size=rows) + 3.0 * (churn == "yes"),
            "plan": random.choice(["basic", "gold", "silver"], rows),
            "churn": churn,
        }
    )

"""A model that answers one record a row, with lists and records in it."""

from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class Explained(PythonModel):
    def predict(self, context: Any, model_input: pd.DataFrame) -> Any:
        shares = 1 / (1 + np.exp(-model_input["minutes"].to_numpy() / 100))
        return [
            {
                "label": "yes" if share > 0.7 else "no",
                "probability": share,
                "reasons": [{"column": "minutes"}, {"column": str(plan)}],
                "counts": np.arange(calls, dtype="int32"),
            }
            for share, plan, calls in zip(
                shares, model_input["plan"], model_input["calls"], strict=True
            )
        ]


set_model(Explained())

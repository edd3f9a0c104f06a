"""A model of moments, which answers moments."""

from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class Dates(PythonModel):
    def predict(self, context: Any, model_input: pd.DataFrame) -> Any:
        days = (model_input["until"] - model_input["since"]).dt.total_seconds() / 86_400
        return pd.DataFrame(
            {
                "days": days,
                "due": model_input["since"] + pd.Timedelta(days=30),
                "weekday": model_input["since"].dt.day_name(),
                "rate": model_input["amount"] / days,
            }
        )


set_model(Dates())

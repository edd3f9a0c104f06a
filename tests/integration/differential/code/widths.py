"""A model of a column of each type: it tells the types that it was given, and the values."""

from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class Widths(PythonModel):
    def predict(self, context: Any, model_input: pd.DataFrame) -> Any:
        return {
            name: [str(column.dtype), column.to_numpy()] for name, column in model_input.items()
        }


set_model(Widths())

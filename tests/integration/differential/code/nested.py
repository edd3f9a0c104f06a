"""A model of nested columns: it tells what it was given, as records."""

from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


def told(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [f"array of {value.dtype.kind}", [told(part) for part in value]]
    if isinstance(value, list):
        return ["list", [told(part) for part in value]]
    if isinstance(value, dict):
        return {name: told(part) for name, part in value.items()}
    return [type(value).__name__, value]


class Nested(PythonModel):
    def predict(self, context: Any, model_input: pd.DataFrame) -> Any:
        return [
            {name: told(cell) for name, cell in record.items()}
            for record in model_input.to_dict("records")
        ]


set_model(Nested())

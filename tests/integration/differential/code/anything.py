"""A model without a signature: it tells what it was given."""

from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


def told(value: Any) -> Any:
    if isinstance(value, pd.DataFrame):
        return {name: told(value[name].to_numpy()) for name in map(str, value.columns)}
    if isinstance(value, np.ndarray):
        return [str(value.dtype.kind), list(value.shape)]
    if isinstance(value, dict):
        return {name: told(part) for name, part in value.items()}
    return type(value).__name__


class Anything(PythonModel):
    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return [told(model_input), params]


set_model(Anything())

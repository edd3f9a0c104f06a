"""A model of one column of text."""

from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class Words(PythonModel):
    def predict(self, context: Any, model_input: pd.DataFrame) -> Any:
        return model_input["text"].map(lambda text: f"{type(text).__name__} {text}").tolist()


set_model(Words())

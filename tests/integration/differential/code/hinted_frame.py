"""A model whose type hint is a data frame, with a signature beside it."""

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class HintedFrame(PythonModel):
    def predict(self, model_input: pd.DataFrame) -> pd.Series:
        return model_input["minutes"] * model_input["calls"]


set_model(HintedFrame())

"""A model whose type hint takes anything."""

from typing import Any

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class HintedAnything(PythonModel):
    def predict(self, model_input: list[Any]) -> list[Any]:
        return [[type(value).__name__, value] for value in model_input]


set_model(HintedAnything())

"""A model whose signature is its type hint."""

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class Hinted(PythonModel):
    def predict(self, model_input: list[str]) -> list[str]:
        return [text.upper() for text in model_input]


set_model(Hinted())

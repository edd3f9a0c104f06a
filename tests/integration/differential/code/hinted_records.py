"""A model whose type hint is a list of records."""

from typing import Any

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class HintedRecords(PythonModel):
    def predict(self, model_input: list[dict[str, float]]) -> list[dict[str, Any]]:
        return [{"total": sum(record.values()), "names": list(record)} for record in model_input]


set_model(HintedRecords())

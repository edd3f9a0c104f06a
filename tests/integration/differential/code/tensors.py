"""A model of two named tensors, which returns two named arrays."""

from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class Tensors(PythonModel):
    def predict(self, context: Any, model_input: dict[str, Any]) -> Any:
        total = model_input["points"].sum(axis=1) * model_input["weight"]
        return {"total": total, "label": np.where(total > 1, "much", "little")}


set_model(Tensors())

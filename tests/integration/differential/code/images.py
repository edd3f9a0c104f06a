"""A model of images: tensors of rank 4, one byte a channel."""

from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class Images(PythonModel):
    def predict(self, context: Any, model_input: np.ndarray) -> Any:
        return {
            "type": f"{model_input.dtype} {model_input.ndim}",
            "mean": model_input.mean(axis=(1, 2)),
            "flipped": model_input[:, ::-1],
        }


set_model(Images())

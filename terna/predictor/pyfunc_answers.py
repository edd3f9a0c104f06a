"""What a pyfunc model predicts for rows, asked as `PyfuncModel` asks it: for the verification."""

from typing import Any

import numpy as np
from mlflow.models.utils import _enforce_schema
from mlflow.pyfunc import PyFuncModel
from mlflow.utils.proto_json_utils import dataframe_from_parsed_json
from numpy.typing import NDArray

from terna.contracts.scoring import Rows
from terna.predictor.inputs import keep_texts, texts


class PyfuncAnswers:
    """A `Pyfunc` for `terna.compiler.verification`."""

    def __init__(self, model: PyFuncModel) -> None:
        self._model = model
        self._schema = model.metadata.get_input_schema()

    def predict_rows(self, rows: Rows) -> list[Any]:
        """Return what the model's `predict` does for rows in the schema's order."""
        return list(np.asarray(self._model.predict(self._frame(rows))).tolist())

    def scores(self, rows: Rows) -> NDArray[Any]:
        """Return probabilities, shape (rows, classes), or a regression's values, (rows, 1)."""
        frame, estimator = self._frame(rows), self._model.get_raw_model()
        if hasattr(estimator, "predict_proba"):
            scores = estimator.predict_proba(_enforce_schema(frame, self._schema))
        else:
            scores = self._model.predict(frame)
        return np.asarray(scores, np.float64).reshape(len(rows), -1)

    def _frame(self, rows: Rows) -> Any:
        document = {"columns": self._schema.input_names(), "data": rows}
        frame = dataframe_from_parsed_json(document, "split", self._schema)
        keep_texts(frame, texts(self._schema))
        return frame

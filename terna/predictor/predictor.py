"""One version that answers, whole in one process: by its compiled model, else by its pyfunc model.

A worker holds the compiled model alone, for what can only be meant as rows; for the rest it asks a
child process, which holds a predictor: once MLflow's code has parsed the rows, it is chosen here.
"""

import json
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from terna.contracts import open_inference
from terna.contracts.open_inference import InferenceRequest
from terna.contracts.scoring import JSON, PREDICT_METHOD, Rows, ScoringRequest, Table
from terna.contracts.version import Version
from terna.errors import InternalError
from terna.predictor.compiled_predictor import (
    COMPILED,
    PYFUNC,
    CompiledModel,
    CompiledPredictor,
    Prediction,
)

if TYPE_CHECKING:
    from terna.predictor.inputs import Inputs
    from terna.predictor.pyfunc_model import PyfuncModel


class Predictor:
    """A version that answers; any thread may call it at any time."""

    def __init__(
        self,
        version: Version,
        load_pyfunc: Callable[[], "PyfuncModel"],
        compiled: CompiledModel | None = None,
        on_compiled_failure: Callable[[], object] = lambda: None,
    ) -> None:
        """
        Args:
            load_pyfunc: loads the version from a directory whose signature has been verified.
            on_compiled_failure: called when the compiled model fails, before pyfunc predicts.

        Raises:
            LoadFailed: without a compiled model the pyfunc model is loaded now.
        """
        self.version = version
        self.backend = COMPILED if compiled else PYFUNC
        """Which one answers rows whose cells are strictly of their columns' types."""
        self._compiled = CompiledPredictor(compiled, on_compiled_failure) if compiled else None
        self._load_pyfunc = load_pyfunc
        self._loading = Lock()
        self._pyfunc: PyfuncModel | None = None
        self._names = self._compiled.names if self._compiled else self.pyfunc().names

    def pyfunc(self) -> "PyfuncModel":
        """Return the model as MLflow loads it; the first call loads it, which takes seconds.

        Raises:
            LoadFailed: it cannot be loaded.
        """
        with self._loading:
            self._pyfunc = self._pyfunc or self._load_pyfunc()
            return self._pyfunc

    def predict(self, request: ScoringRequest) -> Prediction:
        """Return what MLflow's scoring server responds.

        Raises:
            RequestError: any subclass.
        """
        compiled = self._compiled.predict(request) if self._compiled else None
        return compiled or self._predict_parsed(request)

    def infer(self, request: InferenceRequest) -> Prediction:
        """Return the predictions as tensors of the Open Inference Protocol.

        Raises:
            RequestError: any subclass.
        """
        from terna.predictor import tensors

        pyfunc = self.pyfunc()
        table, inputs = pyfunc.table(request), None
        predictions, backend = None, COMPILED
        is_in_order = table is not None and list(table.columns or ()) == pyfunc.names
        if table is not None and is_in_order and PREDICT_METHOD not in request.parameters:
            predictions = self._predict_rows(table.values)
        if predictions is None:
            inputs = pyfunc.parse_tensors(request, table)
            predictions, backend = self._predict_inputs(inputs)
        outputs = tensors.outputs(predictions, pyfunc.metadata.get_output_schema())
        parameters: dict[str, Any] = {}
        if inputs is not None and inputs.wants_probabilities:
            probabilities, backend = self._predict_proba(inputs)
            outputs = {**outputs, tensors.PROBABILITIES: np.asarray(probabilities, "<f8")}
            parameters = {"classes": pyfunc.classes}
        name, number = self.version.name, str(self.version.number)
        try:
            body, json_length = open_inference.render(name, number, request, outputs, parameters)
        except (TypeError, ValueError) as error:
            raise InternalError("The model's answer is no tensor.") from error
        return Prediction(body, backend, tensors.count_rows(request), json_length)

    def predict_table(self, table: Table) -> list[Any]:
        """Return one prediction a row, by way of a scoring request as clients send it.

        Raises:
            RequestError: as `predict` does.
        """
        split = {"columns": table.columns or self._names, "data": table.values}
        request = ScoringRequest(JSON, json.dumps({"dataframe_split": split}).encode())
        predictions: list[Any] = json.loads(self.predict(request).body)["predictions"]
        return predictions

    def _predict_parsed(self, request: ScoringRequest) -> Prediction:
        """Return the response to what only MLflow's own code can parse."""
        from terna.predictor import outputs

        inputs = self.pyfunc().parse(request)
        if inputs.wants_probabilities:
            probabilities, backend = self._predict_proba(inputs)
            document = {"predictions": probabilities, "classes": self.pyfunc().classes}
            return Prediction(outputs.render(document, wrapped=False), backend, inputs.rows)
        predictions, backend = self._predict_inputs(inputs)
        return Prediction(outputs.render(predictions, inputs.wrapped), backend, inputs.rows)

    def _predict_inputs(self, inputs: "Inputs") -> tuple[Any, str]:
        """Return predictions for parsed inputs, and the backend that made them."""
        rows = self.pyfunc().strictly_typed_rows(inputs) if self._compiled else None
        predictions = self._predict_rows(rows) if rows else None
        if predictions is not None:
            return predictions, COMPILED
        return self.pyfunc().predict(inputs), PYFUNC

    def _predict_proba(self, inputs: "Inputs") -> tuple[list[list[float]], str]:
        """Return a list with the probability of each class a row, and the backend that did it."""
        rows = self.pyfunc().strictly_typed_rows(inputs) if self._compiled else None
        if self._compiled and rows:
            probabilities = self._compiled.predict_proba_rows(rows)
            if probabilities is not None:
                return probabilities, COMPILED
        return self.pyfunc().predict_proba(inputs).tolist(), PYFUNC

    def _predict_rows(self, rows: Rows) -> list[Any] | None:
        return self._compiled.predict_rows(rows) if self._compiled else None

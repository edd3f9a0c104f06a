"""The compiled model's part of a version: it answers what can only be meant as rows of its schema.

It needs no MLflow and no library that trained a model, which is what a worker is fast and small by.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from terna.contracts.scoring import Rows, ScoringRequest, render, render_probabilities

logger = logging.getLogger("terna.serving")

COMPILED, PYFUNC = "compiled", "pyfunc"
"""The backends."""


class CompiledModel(Protocol):
    """What a predictor needs of `compiler.runtime.compiled_model.CompiledModel`."""

    @property
    def names(self) -> Sequence[str]:
        """The columns of a row, in the schema's order."""

    @property
    def classes(self) -> Sequence[Any] | None:
        """A classifier's classes as JSON has them, in the order of probabilities."""

    def predict_rows(self, rows: Rows) -> list[Any] | None:
        """Return a prediction a row; None when a cell is not strictly of its column's type.

        Args:
            rows: n rows in the schema's order, of what JSON knows; None is a missing value.
        """

    def predict_proba_rows(self, rows: Rows) -> list[list[float]] | None:
        """Return a classifier's probabilities, (rows, classes); None where pyfunc must answer."""


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """The response to one request; a struct, as making a tuple with names takes longer."""

    body: bytes
    backend: str
    rows: int
    json_length: int | None = None
    """How many bytes of the body are JSON, where tensors follow in binary."""


class CompiledPredictor:
    """A compiled model that answers requests; any thread may call it at any time."""

    def __init__(self, model: CompiledModel, on_failure: Callable[[], object] = lambda: None):
        """
        Args:
            on_failure: called when the model fails, before pyfunc is asked.
        """
        self._model = model
        self._on_failure = on_failure
        self.names = list(model.names)

    def predict(self, request: ScoringRequest, max_rows: int | None = None) -> Prediction | None:
        """Return the response; None where pyfunc must predict.

        Args:
            max_rows: with more rows than this, None is returned at once.

        Raises:
            BadRequest: the content type says JSON and the body is none.
        """
        rows = request.strictly_typed_rows(self.names)
        if not rows or (max_rows is not None and len(rows) > max_rows):
            return None
        body = self._probabilities(rows) if request.wants_probabilities else self._labels(rows)
        return Prediction(body, COMPILED, len(rows)) if body else None

    def predict_rows(self, rows: Rows) -> list[Any] | None:
        """Return a prediction a row; None where pyfunc must predict."""
        return self._ask(self._model.predict_rows, rows)

    def predict_proba_rows(self, rows: Rows) -> list[list[float]] | None:
        """Return a classifier's probabilities, (rows, classes); None where pyfunc must answer."""
        return self._ask(self._model.predict_proba_rows, rows)

    def _labels(self, rows: Rows) -> bytes | None:
        predictions = self.predict_rows(rows)
        return None if predictions is None else render(predictions)

    def _probabilities(self, rows: Rows) -> bytes | None:
        classes, probabilities = self._model.classes, self.predict_proba_rows(rows)
        return render_probabilities(probabilities, classes) if classes and probabilities else None

    def _ask(self, model: Callable[[Rows], list[Any] | None], rows: Rows) -> list[Any] | None:
        try:
            return model(rows)
        except Exception as error:  # pyfunc answers instead, or says what is wrong
            self._on_failure()
            logger.error("the compiled model failed: %s", type(error).__name__)
            return None

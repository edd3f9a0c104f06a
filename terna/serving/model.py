"""One version, loaded: from a verified directory to answers."""

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, Self

import pandas as pd
from mlflow.environment_variables import _MLFLOW_IS_IN_SERVING_ENVIRONMENT
from mlflow.models.utils import _enforce_schema
from mlflow.pyfunc import PyFuncModel, load_model

from terna.contracts import reference
from terna.contracts.errors import BadRequest, LoadFailed, ReferenceMismatch, RequestError
from terna.contracts.scoring import JSON, PLAIN_JSON, Rows, Table, plain_rows, render
from terna.registry import Version
from terna.serving.inputs import Inputs, Reader, column_names
from terna.serving.outputs import as_json
from terna.serving.refusals import Refusals

logger = logging.getLogger("terna.serving")

COMPILED, PYFUNC = "compiled", "pyfunc"
"""The paths on which a request is answered."""

FEW_ROWS = 16
"""What a compiled model answers in the event loop; more would keep other requests waiting longer
than handing them to a thread takes."""


class Program(Protocol):
    """A compiled model: it answers as MLflow's pyfunc does, or leaves it to that."""

    def predict_rows(self, rows: Table) -> list[Any] | None:
        """A prediction a row; None when a cell is not plainly of its column's type.

        Args:
            rows: n rows in the signature's order, of what JSON knows; None is a missing value.
        """

    def predict_frame(self, frame: pd.DataFrame) -> list[Any] | None:
        """A prediction a row of a frame that MLflow has held against the signature."""


class LoadedModel:
    """A version that answers."""

    def __init__(
        self,
        version: Version,
        model: PyFuncModel,
        program: Program | None = None,
        example: str | None = None,
    ) -> None:
        self.version = version
        self.example = example
        """A request body that the model was saved with."""
        self.metadata = model.metadata
        self.names = column_names(model.metadata.get_input_schema())
        """The columns of a row, where the signature names them."""
        self._model = model
        self._program = program
        self._reader = Reader(model.metadata)
        self._refusals = Refusals(model.metadata)

    @classmethod
    def load(cls, version: Version, folder: Path, program: Program | None = None) -> Self:
        """Load a directory whose signature has been verified.

        Raises:
            LoadFailed: no model, or one of another name or run.
        """
        _MLFLOW_IS_IN_SERVING_ENVIRONMENT.set("true")  # models with type hints ask for it
        try:
            model = load_model(str(folder))
        except Exception as error:
            raise LoadFailed(f"{version} cannot be loaded: {type(error).__name__}") from error
        _check_identity(version, model.metadata.metadata or {})
        return cls(version, model, program, model.metadata.get_serving_input(str(folder)))

    @property
    def compiled(self) -> bool:
        return self._program is not None

    @property
    def path(self) -> str:
        """How what is plainly a table is answered."""
        return COMPILED if self._program else PYFUNC

    def plain_rows(self, content_type: str, body: bytes) -> Table | None:
        """The rows of a body that the compiled model may answer; None where there is any doubt."""
        plain = self._program and self.names and content_type in PLAIN_JSON
        return plain_rows(body, self.names) if plain else None

    def predict_rows(self, rows: Table) -> list[Any] | None:
        """What the compiled model returns; None where pyfunc must be asked."""
        try:
            return self._program.predict_rows(rows) if self._program else None
        except Exception as error:  # pyfunc knows better, or says what is wrong
            logger.error("the compiled model failed: %s", type(error).__name__)
            return None

    def answer(self, content_type: str, body: bytes) -> tuple[bytes, str]:
        """What MLflow's scoring server answers, and by which path.

        Raises:
            RequestError: each kind of it.
        """
        rows = self.plain_rows(content_type, body)
        predictions = self.predict_rows(rows) if rows else None
        if predictions is not None:
            return render(predictions), COMPILED

        def words() -> str:
            return self._refusals.of_body(content_type, body)

        inputs = self.fit(lambda: self._reader.read(content_type, body), words)
        said, path = self.predict_inputs(inputs, words)
        return as_json(said, inputs.wrapped), path

    def fit(self, read: Callable[[], Inputs], words: Callable[[], str]) -> Inputs:
        """What `read` makes of what a client sent.

        Args:
            words: says what is wrong with it; asked only if something is.

        Raises:
            RequestError: MLflow's code cannot read it.
        """
        try:
            return read()
        except Exception as error:
            raise self._refusals.unreadable(error, words()) from error

    def predict_inputs(self, inputs: Inputs, words: Callable[[], str]) -> tuple[Any, str]:
        """What the model returns for what MLflow hands to it, and by which path.

        Args:
            words: says what is wrong with the inputs; asked only if something is.

        Raises:
            InvalidParameter: the rows or the parameters do not fit the signature.
            PredictionFailed: the model fails on them.
        """
        try:
            predictions = self._predict_compiled(inputs)
            if predictions is not None:
                return predictions, COMPILED
            return self._model.predict(inputs.data, params=inputs.params), PYFUNC
        except Exception as error:
            raise self._refusals.unanswered(error, inputs, words()) from error

    def wrong_with(self, rows: Rows) -> str:
        """What the signature does not take of some rows; empty if it takes them all."""
        return self._refusals.of_rows(rows)

    def predict(self, rows: Rows) -> list[Any]:
        """One prediction a row, asked as clients ask.

        Raises:
            RequestError: as `answer` does.
        """
        table = {"columns": rows.columns or self.names, "data": rows.values}
        body = json.dumps({"dataframe_split": table}).encode()
        predictions: list[Any] = json.loads(self.answer(JSON, body)[0])["predictions"]
        return predictions

    def check_reference(self, folder: Path) -> None:
        """Answer the reference rows as training recorded them, which also warms the model up.

        Raises:
            ReferenceMismatch: the answers differ, or there are no such rows.
        """
        try:
            rows, expected = reference.read(folder)
        except (OSError, ValueError, KeyError, BadRequest) as error:
            raise ReferenceMismatch(f"{self.version} has no reference rows.") from error
        try:
            answered = self.predict(rows)
        except RequestError as error:
            raise ReferenceMismatch(f"{self.version} fails on its reference rows.") from error
        different = sum(a != b for a, b in zip(answered, expected, strict=False))
        if not answered or len(answered) != len(expected) or different:
            raise ReferenceMismatch(
                f"{self.version} answers {different} of {len(expected)} reference rows other than"
                " training recorded."
            )

    def _predict_compiled(self, inputs: Inputs) -> list[Any] | None:
        if self._program is None or inputs.params or not self.names:
            return None
        try:
            frame = _enforce_schema(inputs.data, self.metadata.get_input_schema())
            return self._program.predict_frame(frame)
        except Exception:
            return None  # pyfunc refuses it too, and its errors are understood here


def _check_identity(version: Version, signed: Mapping[str, Any]) -> None:
    """The signature covers the files, not their place in the registry: compare what they say."""
    if signed.get("model") != version.name or signed.get("run_id") != version.run_id:
        raise LoadFailed(f"{version} holds the files of another model or run.")

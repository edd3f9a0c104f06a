"""One version, loaded: from a verified directory to answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
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

COMPILED, PYFUNC = "compiled", "pyfunc"
"""The paths on which a request is answered."""


class Program(Protocol):
    """A compiled model: it answers as MLflow's pyfunc does, or leaves it to that."""

    def predict_rows(self, rows: Table) -> list[Any] | None:
        """A prediction a row; None when a cell is not plainly of its column's type.

        Args:
            rows: n rows in the signature's order, of what JSON knows; None is a missing value.
        """

    def predict_frame(self, frame: pd.DataFrame) -> list[Any] | None:
        """A prediction a row of a frame that MLflow has held against the signature."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A body, and which path it came by."""

    body: bytes
    path: str


class LoadedModel:
    """A version that answers."""

    def __init__(
        self, version: Version, model: PyFuncModel, program: Program | None = None
    ) -> None:
        self.version = version
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
        return cls(version, model, program)

    @property
    def path(self) -> str:
        """How what is plainly a table is answered."""
        return COMPILED if self._program else PYFUNC

    def plain_rows(self, content_type: str, body: bytes) -> Table | None:
        """The rows of a body that the compiled model may answer; None where there is any doubt."""
        plain = self._program and self.names and content_type in PLAIN_JSON
        return plain_rows(body, self.names) if plain else None

    def answer_rows(self, rows: Table) -> Answered | None:
        """The compiled model's answer; None where pyfunc must give it."""
        predictions = self._program.predict_rows(rows) if self._program else None
        return None if predictions is None else Answered(render(predictions), COMPILED)

    def answer(self, content_type: str, body: bytes) -> Answered:
        """What MLflow's scoring server answers.

        Raises:
            RequestError: each kind of it.
        """
        rows = self.plain_rows(content_type, body)
        return (self.answer_rows(rows) if rows else None) or self._answer(content_type, body)

    def predict(self, rows: Rows) -> list[Any]:
        """One prediction a row, asked as clients ask.

        Raises:
            RequestError: as `answer` does.
        """
        table = {"columns": rows.columns or self.names, "data": rows.values}
        body = json.dumps({"dataframe_split": table}).encode()
        predictions: list[Any] = json.loads(self.answer(JSON, body).body)["predictions"]
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

    def _answer(self, content_type: str, body: bytes) -> Answered:
        try:
            inputs = self._reader.read(content_type, body)
        except Exception as error:
            raise self._refusals.unreadable(error, content_type, body) from error
        try:
            predictions, path = self._predict(inputs)
        except Exception as error:
            raise self._refusals.unanswered(error, content_type, body, inputs) from error
        return Answered(as_json(predictions, inputs.wrapped), path)

    def _predict(self, inputs: Inputs) -> tuple[Any, str]:
        predictions = self._predict_compiled(inputs)
        if predictions is not None:
            return predictions, COMPILED
        return self._model.predict(inputs.data, params=inputs.params), PYFUNC

    def _predict_compiled(self, inputs: Inputs) -> list[Any] | None:
        if self._program is None or inputs.params or not self.names:
            return None
        try:
            frame = _enforce_schema(inputs.data, self.metadata.get_input_schema())
        except Exception:
            return None  # pyfunc refuses it too, in the words that are understood here
        return self._program.predict_frame(frame)


def _check_identity(version: Version, signed: Mapping[str, Any]) -> None:
    """The signature covers the files, not their place in the registry: compare what they say."""
    if signed.get("model") != version.name or signed.get("run_id") != version.run_id:
        raise LoadFailed(f"{version} holds the files of another model or run.")

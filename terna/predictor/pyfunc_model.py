"""A version as MLflow loads it: its pyfunc, and all that MLflow's scoring server does around it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from mlflow.environment_variables import _MLFLOW_IS_IN_SERVING_ENVIRONMENT
from mlflow.models.utils import _enforce_schema
from mlflow.pyfunc import PyFuncModel, load_model

from terna.contracts.scoring import Table
from terna.contracts.version import Version
from terna.errors import LoadFailed
from terna.predictor.error_messages import ErrorMessages
from terna.predictor.inputs import Inputs, Reader, column_names, rows_of_frame
from terna.predictor.outputs import as_json
from terna.predictor.predictor import COMPILED, PYFUNC, CompiledModel, Prediction


class PyfuncModel:
    """A loaded model of any flavor."""

    def __init__(self, model: PyFuncModel, example: str | None = None) -> None:
        self.model = model
        self.example = example
        """A request body that the model was saved with."""
        self.metadata = model.metadata
        self.names = column_names(model.metadata.get_input_schema())
        """The columns of a row, where the signature names them."""
        self._reader = Reader(model.metadata)
        self._refusals = ErrorMessages(model.metadata)

    @classmethod
    def load(cls, version: Version, folder: Path) -> Self:
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
        return cls(model, model.metadata.get_serving_input(str(folder)))

    def answer(
        self, content_type: str, body: bytes, program: CompiledModel | None = None
    ) -> Prediction:
        """What MLflow's scoring server answers.

        Args:
            program: answers in the model's place what has passed MLflow's enforcement.

        Raises:
            RequestError: each kind of it.
        """

        def words() -> str:
            return self._refusals.of_body(content_type, body)

        inputs = self.fit(lambda: self._reader.read(content_type, body), words)
        said, path = self.predict(inputs, words, program)
        return Prediction(as_json(said, inputs.wrapped), path, inputs.rows)

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

    def predict(
        self, inputs: Inputs, words: Callable[[], str], program: CompiledModel | None = None
    ) -> tuple[Any, str]:
        """What the model returns for what MLflow hands to it, and by which path.

        Args:
            words: says what is wrong with the inputs; asked only if something is.

        Raises:
            InvalidParameter: the rows or the parameters do not fit the signature.
            PredictionFailed: the model fails on them.
        """
        try:
            predictions = self._compiled(inputs, program) if program else None
            if predictions is not None:
                return predictions, COMPILED
            return self.model.predict(inputs.data, params=inputs.params), PYFUNC
        except Exception as error:
            raise self._refusals.unanswered(error, inputs, words()) from error

    def wrong_with(self, rows: Table) -> str:
        """What the signature does not take of some rows; empty if it takes them all."""
        return self._refusals.of_rows(rows)

    def _compiled(self, inputs: Inputs, program: CompiledModel) -> list[Any] | None:
        if inputs.params or not self.names:
            return None
        try:
            frame = _enforce_schema(inputs.data, self.metadata.get_input_schema())
            rows = rows_of_frame(frame, program.names)
            return program.predict_rows(rows) if rows else None
        except Exception:
            return None  # pyfunc refuses it too, and its errors are understood here


def _check_identity(version: Version, signed: Mapping[str, Any]) -> None:
    """The signature covers the files, not their place in the registry: compare what they say."""
    if signed.get("model") != version.name or signed.get("run_id") != version.run_id:
        raise LoadFailed(f"{version} holds the files of another model or run.")

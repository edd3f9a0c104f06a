"""A version as MLflow loads it: its pyfunc, and what MLflow's scoring server does around it."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from mlflow.models import Model
from mlflow.pyfunc import FLAVOR_NAME, load_model
from mlflow.pyfunc import PyFuncModel as MLflowPyFuncModel
from mlflow.types import Schema
from numpy.typing import NDArray

from terna.contracts.open_inference import InferenceRequest
from terna.contracts.scoring import Rows, ScoringRequest, Table
from terna.contracts.version import Version
from terna.errors import InvalidParameter, LoadFailed
from terna.predictor import outputs, tensors
from terna.predictor.error_messages import ErrorMessages
from terna.predictor.inputs import (
    InputParser,
    Inputs,
    column_names,
    restore_text_type,
    rows_of_frame,
    text_columns,
)
from terna.predictor.mlflow_private import (
    cast_df_types_according_to_schema,
    dataframe_from_parsed_json,
    enforce_schema,
    enter_serving_environment,
)
from terna.predictor.probabilities import NONE as NO_PROBABILITIES
from terna.predictor.probabilities import take_method


class PyfuncModel:
    """A loaded model of any flavor."""

    def __init__(self, model: MLflowPyFuncModel, example: str | None = None) -> None:
        self.model = model
        self.example = example
        """A request body that the model was saved with."""
        self.metadata = model.metadata
        self.schema = model.metadata.get_input_schema()
        self.names = column_names(self.schema)
        """The columns of a row, where the schema names them."""
        params = model.metadata.get_params_schema()
        self._declared = frozenset(spec.name for spec in params.params) if params else frozenset()
        self._parser = InputParser(model.metadata)
        self._messages = ErrorMessages(model.metadata)

    @classmethod
    def load(cls, version: Version, folder: Path) -> Self:
        """Load a directory whose signature has been verified.

        Raises:
            LoadFailed: it holds no model, or that of another name or run, or it ends while it is
                loaded. What it is, is checked before any of its code runs.
        """
        enter_serving_environment()
        try:
            _check_identity(version, Model.load(str(folder)))
            model = load_model(str(folder))
        except LoadFailed:
            raise
        except (Exception, SystemExit) as error:
            raise LoadFailed(f"{version} cannot be loaded: {type(error).__name__}") from error
        return cls(model, model.metadata.get_serving_input(str(folder)))

    def parse(self, request: ScoringRequest) -> Inputs:
        """Read what a client sent to `/invocations` as MLflow's scoring server does.

        Raises:
            RequestError: MLflow's code cannot read it.
        """

        def describe_error() -> str:
            return self._messages.describe_error(request)

        try:
            inputs = self._parser.parse(request)
        except Exception as error:
            raise self._messages.for_unreadable(error, describe_error()) from error
        wants_probabilities, params = take_method(inputs.params, self._declared)
        return replace(
            inputs,
            params=params,
            wants_probabilities=wants_probabilities,
            describe_error=describe_error,
        )

    def table(self, request: InferenceRequest) -> Table | None:
        """Return the tensors of a request as a table; None where the schema names no columns.

        Raises:
            BadRequest: the tensors are not of one length, or of another shape than columns have.
        """
        return tensors.table(request, self.schema)

    def parse_tensors(self, request: InferenceRequest, table: Table | None) -> Inputs:
        """Read tensors as the model takes them.

        Args:
            table: what `table` returned for them.

        Raises:
            RequestError: a tensor is missing, or a value does not fit the schema.
        """

        def describe_error() -> str:
            return self._messages.describe_table_error(table) if table else ""

        try:
            inputs = tensors.inputs(request, table, self.metadata)
        except Exception as error:
            raise self._messages.for_unreadable(error, describe_error()) from error
        wants_probabilities, _ = take_method(request.parameters, self._declared)
        return replace(
            inputs, wants_probabilities=wants_probabilities, describe_error=describe_error
        )

    def strictly_typed_rows(self, inputs: Inputs) -> Rows | None:
        """Return the rows once MLflow has enforced the schema's types.

        None where they are no rows of the schema's columns, or MLflow rejects them.
        """
        if inputs.params or not self.names:
            return None
        try:
            return rows_of_frame(enforce_schema(inputs.data, self.schema), self.names)
        except Exception:
            return None  # `predict` rejects them too, and its errors become messages

    def predict(self, inputs: Inputs) -> Any:
        """Return what the model returns.

        Raises:
            InvalidParameter: the rows or the parameters do not fit the schema.
            PredictionFailed: the model fails on them.
        """
        try:
            return self.model.predict(inputs.data, params=inputs.params)
        except Exception as error:
            raise self._messages.for_failed_prediction(error, inputs) from error

    @property
    def classes(self) -> list[Any] | None:
        """A classifier's classes, in the order of its probabilities; None of other models."""
        estimator = self._classifier()
        return None if estimator is None else np.asarray(estimator.classes_).tolist()

    def predict_proba(self, inputs: Inputs) -> NDArray[Any]:
        """Return the probability of each class, shape (rows, classes).

        Raises:
            InvalidParameter: the model gives none, or the rows do not fit the schema.
            PredictionFailed: the model fails on them.
        """
        estimator = self._classifier()
        if estimator is None:
            raise InvalidParameter(NO_PROBABILITIES)
        try:
            data = enforce_schema(inputs.data, self.schema) if self.schema else inputs.data
            return np.asarray(estimator.predict_proba(data))
        except Exception as error:
            raise self._messages.for_failed_prediction(error, inputs) from error

    def _classifier(self) -> Any:
        """Return the estimator that gives probabilities; None where there is none."""
        try:
            estimator = self.model.get_raw_model()
        except Exception:  # a flavor without one
            return None
        known = hasattr(estimator, "predict_proba") and hasattr(estimator, "classes_")
        return estimator if known else None

    def predict_rows(self, rows: Rows) -> list[Any]:
        """Return the predictions for rows in the schema's order, for the verification."""
        return list(np.asarray(self.model.predict(self._frame(rows))).tolist())

    def answer(self, rows: Rows) -> bytes:
        """Return the body of the response for rows in the schema's order, for the verification."""
        return outputs.render(self.model.predict(self._frame(rows)))

    def scores(self, rows: Rows) -> NDArray[Any]:
        """Return probabilities, shape (rows, classes), or a regression's values, (rows, 1)."""
        return self._scores(self._frame(rows))

    def scores_and_answer(self, rows: Rows) -> tuple[NDArray[Any], bytes]:
        """Return both, of one data frame: making it is what takes long where columns are many."""
        frame = self._frame(rows)
        return self._scores(frame), outputs.render(self.model.predict(frame))

    def _scores(self, frame: Any) -> NDArray[Any]:
        estimator = self.model.get_raw_model()
        if hasattr(estimator, "predict_proba"):
            scores = estimator.predict_proba(enforce_schema(frame, self.schema))
        else:
            scores = self.model.predict(frame)
        return np.asarray(scores, np.float64).reshape(len(frame), -1)

    def _frame(self, rows: Rows) -> Any:
        """Return rows as MLflow hands them to the model."""
        document = {"columns": self.schema.input_names(), "data": rows}
        frame = dataframe_from_parsed_json(document, "split")
        if others := _of_another_type(frame, self.schema):
            frame = cast_df_types_according_to_schema(frame, others)
        restore_text_type(frame, text_columns(self.schema))
        return frame


def _of_another_type(frame: Any, schema: Any) -> Schema | None:
    """Return the columns that MLflow would convert; converting the others would change nothing."""
    types = dict(zip(frame.columns, frame.dtypes, strict=True))
    specs = [spec for spec in schema.inputs if types[spec.name] != spec.type.to_pandas()]
    return Schema(specs) if specs else None


def _check_identity(version: Version, metadata: Model) -> None:
    """Check that the files are of this model and run, which their signature cannot tell."""
    signed = metadata.metadata or {}
    if signed.get("model") != version.name or signed.get("run_id") != version.run_id:
        raise LoadFailed(f"{version} holds the files of another model or run.")
    if FLAVOR_NAME not in metadata.flavors:
        raise LoadFailed(f"{version} cannot be loaded: it has no flavor {FLAVOR_NAME}.")

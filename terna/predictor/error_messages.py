"""Errors for clients: MLflow's status and error code, and a message that repeats no value.

MLflow's own messages quote the rows, the schema and a traceback.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.types import ColSpec, DataType, ParamSpec, Schema

from terna.contracts.refusals import Cell, say_cell, say_missing
from terna.contracts.scoring import JSON, ScoringRequest, Table, parse, parse_form
from terna.errors import (
    BadRequest,
    InvalidParameter,
    PredictionFailed,
    RequestError,
)
from terna.predictor.inputs import Inputs, column_names

TWO_TO_63 = 2**63
MAX_FLOAT32 = float(np.finfo(np.float32).max)

MAX_LISTED = 20
"""Names of columns in one message."""

UNREADABLE = "The body cannot be read as the model's schema has it: see /docs."
UNFIT = "The rows do not fit the model's schema: see /docs."
FAILED = "The model failed on these rows."


class ErrorMessages:
    """The error messages for clients of one model."""

    def __init__(self, metadata: Model) -> None:
        schema = metadata.get_input_schema()
        self._types = _column_types(schema)
        self._names = column_names(schema)
        self._required = schema.required_input_names() if self._names else []
        self._params = metadata.get_params_schema()

    def for_unreadable(self, error: Exception, description: str) -> RequestError:
        """Return the error for what MLflow's code cannot read.

        Args:
            error: what MLflow's code raised.
            description: what is wrong, from `describe_error`; empty if that is not known.
        """
        if isinstance(error, RequestError):
            return error
        message = description or UNREADABLE
        if isinstance(error, MlflowException) and error.error_code == InvalidParameter.error_code:
            return InvalidParameter(message)
        return BadRequest(message)

    def for_failed_prediction(self, error: Exception, inputs: Inputs) -> RequestError:
        """Return the error for rows or parameters that do not fit, or on which the model fails."""
        description = inputs.describe_error()
        if not isinstance(error, MlflowException):
            return BadRequest(description) if description else PredictionFailed(FAILED)
        if error.error_class == "SCHEMA_ENFORCEMENT_FAILED":
            names = _input_names(inputs.data)
            return InvalidParameter(description or self._describe_missing(names) or UNFIT)
        if description := self._describe_params(inputs.params):
            return InvalidParameter(description)
        return PredictionFailed(FAILED, error.get_http_status_code(), error.error_code)

    def describe_error(self, request: ScoringRequest) -> str:
        """Return what is wrong with a body, as far as JSON and the schema tell; else ""."""
        if not request.content_type.startswith(JSON):
            return ""
        try:
            if not self._names:
                parse_form(request.document())
                return ""
            return self.describe_table_error(parse(request.document()))
        except RequestError as error:
            return str(error)

    def describe_table_error(self, table: Table) -> str:
        """Return what is wrong with rows, as far as the schema tells; else ""."""
        try:
            self._check(table)
        except BadRequest as error:
            return str(error)
        return ""

    def _check(self, table: Table) -> None:
        names = self._names if table.columns is None else table.columns
        if missing := self._describe_missing(names):
            raise BadRequest(missing)
        for number, row in enumerate(table.values):
            for name, cell in zip(names, row, strict=False):
                _check_cell(number, name, cell, self._types.get(name))

    def _describe_missing(self, names: Sequence[str] | None) -> str:
        sent = set(self._required if names is None else names)
        missing = [name for name in self._required if name not in sent]
        return say_missing(listed(missing)) if missing else ""

    def _describe_params(self, params: Any) -> str:
        if self._params is None or params is None:
            return ""
        if not isinstance(params, dict):
            return "'params' must be an object."
        for spec in self._params.params:
            if spec.name in params and not _is_valid(params[spec.name], spec):
                return f"The parameter '{spec.name}' must be {_describe_type(spec)}."
        return ""


def listed(names: Sequence[str]) -> str:
    """Return names with commas between them; of many the first ones, to keep it one line."""
    more = len(names) - MAX_LISTED
    return ", ".join(names[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


def _input_names(data: Any) -> Sequence[str] | None:
    """Return the names of a data frame's columns or of named arrays."""
    names = getattr(data, "columns", data if isinstance(data, dict) else None)
    return None if names is None else [str(name) for name in names]


def _is_valid(value: Any, spec: ParamSpec) -> bool:
    try:
        ParamSpec.validate_param_spec(value, spec)
    except Exception:
        return False
    return True


def _describe_type(spec: ParamSpec) -> str:
    kind = spec.dtype.name if isinstance(spec.dtype, DataType) else "an object"
    return f"a list of {kind}" if spec.shape else kind


def _column_types(schema: Schema | None) -> Mapping[str, DataType]:
    return {
        str(column.name): column.type
        for column in (schema.inputs if schema else ())
        if isinstance(column, ColSpec) and isinstance(column.type, DataType)
    }


def _check_cell(number: int, name: str, cell: Any, kind: DataType | None) -> None:
    if kind not in _CHECKS:
        return
    fits, expected = _CHECKS[kind]
    if not fits(cell):
        raise BadRequest(say_cell(Cell(number, name, expected)))


def _is_number(cell: Any) -> bool:
    """Return whether float32 holds the cell: forests round to it, and fail on larger numbers."""
    fits = isinstance(cell, float) and not abs(cell) > MAX_FLOAT32
    return cell is None or fits or _is_whole(cell)


def _is_whole(cell: Any) -> bool:
    """Return whether it is a whole number of 64 bits: 128, or 128.0 as some clients write it."""
    if isinstance(cell, float):
        return cell.is_integer() and abs(cell) < TWO_TO_63
    return isinstance(cell, int) and not isinstance(cell, bool) and abs(cell) < TWO_TO_63


def _is_boolean(cell: Any) -> bool:
    return isinstance(cell, bool)


def _is_text(cell: Any) -> bool:
    """Return whether it is text or missing: Python clients send NaN for a missing text."""
    missing = cell is None or (isinstance(cell, float) and isnan(cell))
    return missing or (isinstance(cell, str) and _is_unicode(cell))


def _is_unicode(text: str) -> bool:
    """Return whether a text column can hold it: JSON may hold half a character, "\\ud800"."""
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


_CHECKS: Mapping[DataType | None, tuple[Callable[[Any], bool], str]] = {
    DataType.boolean: (_is_boolean, "true or false"),
    DataType.integer: (_is_whole, "a whole number"),
    DataType.long: (_is_whole, "a whole number"),
    DataType.float: (_is_number, "a number or null"),
    DataType.double: (_is_number, "a number or null"),
    DataType.string: (_is_text, "text or null"),
}

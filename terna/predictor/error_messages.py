"""Why a request is refused: MLflow's status and error code, and words that repeat no value of it.

MLflow's own messages quote the rows, the signature and a traceback.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.types import ColSpec, DataType, ParamSpec, Schema

from terna.contracts.scoring import JSON, Table, parse, parse_form
from terna.errors import (
    BadRequest,
    InvalidParameter,
    PredictionFailed,
    RequestError,
)
from terna.predictor.inputs import Inputs, column_names

LARGEST = 2**63
LARGEST_FLOAT = float(np.finfo(np.float32).max)

UNREADABLE = "The body cannot be read as the model's signature has it: see /docs."
UNFIT = "The rows do not fit the model's signature: see /docs."
FAILED = "The model failed on these rows."


class ErrorMessages:
    """Tells the clients of one model what is wrong with what they sent."""

    def __init__(self, metadata: Model) -> None:
        schema = metadata.get_input_schema()
        self._kinds = _kinds(schema)
        self._names = column_names(schema)
        self._required = schema.required_input_names() if self._names else []
        self._params = metadata.get_params_schema()

    def unreadable(self, error: Exception, words: str) -> RequestError:
        """MLflow's code cannot read what was sent."""
        if isinstance(error, RequestError):
            return error
        words = words or UNREADABLE
        if isinstance(error, MlflowException) and error.error_code == InvalidParameter.error_code:
            return InvalidParameter(words)
        return BadRequest(words)

    def unanswered(self, error: Exception, inputs: Inputs, words: str) -> RequestError:
        """The rows or the parameters do not fit the signature, or the model fails on them."""
        if not isinstance(error, MlflowException):
            return BadRequest(words) if words else PredictionFailed(FAILED)
        if error.error_class == "SCHEMA_ENFORCEMENT_FAILED":
            return InvalidParameter(words or self._missing(_named(inputs.data)) or UNFIT)
        if wrong := self._wrong_param(inputs.params):
            return InvalidParameter(wrong)
        return PredictionFailed(FAILED, error.get_http_status_code(), error.error_code)

    def of_body(self, content_type: str, body: bytes) -> str:
        """What is wrong with a body, as far as JSON and the signature tell; empty if nothing is."""
        if not content_type.startswith(JSON):
            return ""
        try:
            if not self._names:
                parse_form(body)
                return ""
            return self.of_rows(parse(body))
        except BadRequest as found:
            return str(found)

    def of_rows(self, rows: Table) -> str:
        """What is wrong with rows, as far as the signature tells; empty if nothing is."""
        try:
            self._check(rows)
        except BadRequest as found:
            return str(found)
        return ""

    def _check(self, rows: Table) -> None:
        names = self._names if rows.columns is None else rows.columns
        if missing := self._missing(names):
            raise BadRequest(missing)
        for number, row in enumerate(rows.values):
            for name, cell in zip(names, row, strict=False):
                _check_cell(number, name, cell, self._kinds.get(name))

    def _missing(self, names: Sequence[str] | None) -> str:
        missing = [] if names is None else [n for n in self._required if n not in names]
        return f"Missing columns: {', '.join(missing)}." if missing else ""

    def _wrong_param(self, params: Any) -> str:
        if self._params is None or params is None:
            return ""
        if not isinstance(params, dict):
            return "'params' must be an object."
        for spec in self._params.params:
            if spec.name in params and not _is_valid(params[spec.name], spec):
                return f"The parameter '{spec.name}' must be {_said(spec)}."
        return ""


def _named(data: Any) -> Sequence[str] | None:
    """The names of a data frame's columns or of named arrays."""
    names = getattr(data, "columns", data if isinstance(data, dict) else None)
    return None if names is None else [str(name) for name in names]


def _is_valid(value: Any, spec: ParamSpec) -> bool:
    try:
        ParamSpec.validate_param_spec(value, spec)
    except Exception:
        return False
    return True


def _said(spec: ParamSpec) -> str:
    kind = spec.dtype.name if isinstance(spec.dtype, DataType) else "an object"
    return f"a list of {kind}" if spec.shape else kind


def _kinds(schema: Schema | None) -> Mapping[str, DataType]:
    return {
        str(column.name): column.type
        for column in (schema.inputs if schema else ())
        if isinstance(column, ColSpec) and isinstance(column.type, DataType)
    }


def _check_cell(number: int, name: str, cell: Any, kind: DataType | None) -> None:
    if kind not in _KINDS:
        return
    belongs, words = _KINDS[kind]
    if not belongs(cell):
        raise BadRequest(f"Row {number}: '{name}' must be {words}.")


def _is_number(cell: Any) -> bool:
    """Forests round to float32, and fail on what that cannot hold."""
    fits = isinstance(cell, float) and not abs(cell) > LARGEST_FLOAT
    return cell is None or fits or _is_whole(cell)


def _is_whole(cell: Any) -> bool:
    """128, and 128.0 as some clients write it; nothing that 64 bits cannot hold."""
    if isinstance(cell, float):
        return cell.is_integer() and abs(cell) < LARGEST
    return isinstance(cell, int) and not isinstance(cell, bool) and abs(cell) < LARGEST


def _is_truth(cell: Any) -> bool:
    return isinstance(cell, bool)


def _is_text(cell: Any) -> bool:
    """Also NaN: what Python clients send where a text is missing."""
    missing = cell is None or (isinstance(cell, float) and isnan(cell))
    return missing or (isinstance(cell, str) and _is_unicode(cell))


def _is_unicode(text: str) -> bool:
    """JSON may hold half a character, "\\ud800", which a text column cannot."""
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


_KINDS: Mapping[DataType | None, tuple[Callable[[Any], bool], str]] = {
    DataType.boolean: (_is_truth, "true or false"),
    DataType.integer: (_is_whole, "a whole number"),
    DataType.long: (_is_whole, "a whole number"),
    DataType.float: (_is_number, "a number or null"),
    DataType.double: (_is_number, "a number or null"),
    DataType.string: (_is_text, "text or null"),
}

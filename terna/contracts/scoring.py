"""MLflow's scoring protocol: what a client may send to `/invocations`, and what it gets back.

https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/#json-input
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from terna.contracts.errors import BadRequest

FORMS = ("dataframe_split", "dataframe_records", "inputs", "instances")


@dataclass(frozen=True)
class Rows:
    """Customers to label: n rows of raw feature values.

    `columns` names the values of each row; None means "in the signature's order".
    """

    values: Sequence[Sequence[Any]]
    columns: tuple[str, ...] | None = None


def parse(body: bytes) -> Rows:
    """Read a request body in one of the protocol's four JSON forms.

    Raises:
        BadRequest: not JSON, none or several of the forms, or rows that do not fit their columns.
    """
    document = _decode(body)
    if not isinstance(document, dict):
        raise BadRequest(f"The body must be a JSON object with one of the keys {_listed(FORMS)}.")
    present = [form for form in FORMS if form in document]
    if len(present) != 1:
        found = f"several ({_listed(present)})" if present else "none"
        raise BadRequest(
            f"The body must hold exactly one of the keys {_listed(FORMS)}; it has {found}."
        )
    form = present[0]
    if form == "dataframe_split":
        return _split(document[form])
    if form == "dataframe_records":
        return _records(document[form], form)
    return _tensor(document[form], form)


def render(predictions: Sequence[Any]) -> bytes:
    """The body of an answer: one prediction a row, as JSON."""
    return msgspec.json.encode({"predictions": predictions})


def render_error(error_code: str, message: str) -> bytes:
    """The body of a refusal, as MLflow words it."""
    return msgspec.json.encode({"error_code": error_code, "message": message})


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_leniently(body)


def _decode_leniently(body: bytes) -> Any:
    """Python clients send `NaN` for a missing value, which strict JSON does not know."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("The body is not valid JSON.") from None


def _split(value: Any) -> Rows:
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise BadRequest("'dataframe_split' must be an object with 'columns' and 'data'.")
    columns = value.get("columns")
    if columns is None:
        return _positional(value["data"], "dataframe_split")
    if not isinstance(columns, list):
        raise BadRequest("'columns' of 'dataframe_split' must be a list of names.")
    return _named(_names(columns), value["data"])


def _records(value: Any, form: str) -> Rows:
    if not isinstance(value, list) or not all(isinstance(record, dict) for record in value):
        raise BadRequest(f"'{form}' must be a list of objects, one a row.")
    columns = tuple(dict.fromkeys(name for record in value for name in record))
    return Rows([[record.get(name) for name in columns] for record in value], columns)


def _tensor(value: Any, form: str) -> Rows:
    if isinstance(value, dict):
        return _column_lists(value, form)
    if not isinstance(value, list):
        raise BadRequest(f"'{form}' must be a list of rows.")
    if value and all(isinstance(row, dict) for row in value):
        return _records(value, form)
    if value and not any(isinstance(row, (list, dict)) for row in value):
        return Rows([[scalar] for scalar in value])
    return _positional(value, form)


def _column_lists(value: Mapping[str, Any], form: str) -> Rows:
    columns = [cells if isinstance(cells, list) else [cells] for cells in value.values()]
    if len({len(cells) for cells in columns}) > 1:
        raise BadRequest(f"The columns in '{form}' must be lists of one length.")
    return Rows([list(row) for row in zip(*columns, strict=True)], tuple(value))


def _positional(rows: Sequence[Any], form: str) -> Rows:
    for number, row in enumerate(rows):
        if not isinstance(row, list):
            raise BadRequest(f"Row {number} of '{form}' must be a list of values.")
    return Rows(rows)


def _named(columns: tuple[str, ...], rows: Sequence[Any]) -> Rows:
    for number, row in enumerate(_positional(rows, "dataframe_split").values):
        if len(row) != len(columns):
            raise BadRequest(f"Row {number} has {len(row)} values for {len(columns)} columns.")
    return Rows(rows, columns)


def _names(columns: Sequence[Any]) -> tuple[str, ...]:
    names = tuple(str(name) for name in columns)
    if len(set(names)) < len(names):
        raise BadRequest("'columns' of 'dataframe_split' names a column twice.")
    return names


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)

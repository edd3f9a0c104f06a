"""MLflow's scoring protocol: what a client may send to `/invocations`, and what it gets back.

https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/#json-input

A body is decoded once. Of what it holds there are two readers: `strictly_typed_rows` is for speed,
takes what can only be meant as a table and leaves the rest to MLflow's own code; `parse` is for
messages and says what is wrong with a document that MLflow's code does not take.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from terna.contracts.limits import check_cells, check_json
from terna.errors import BadRequest

JSON = "application/json"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
CONTENT_TYPES = (CSV, JSON, PARQUET)
JSON_HEADERS = (JSON, f"{JSON}; charset=utf-8", f"{JSON};charset=utf-8")
"""The `Content-Type` headers that need no parsing to be known as JSON."""

FORMS = ("dataframe_split", "dataframe_records", "inputs", "instances")
AZURE_FORMS = ("data", "input_data")
"""Azure ML's names: rows, or a table in the form of `dataframe_split`."""

PREDICT_METHOD = "predict_method"
PREDICT_METHODS = (PREDICT, PREDICT_PROBA) = ("predict", "predict_proba")
PROBABILITIES = {PREDICT_METHOD: PREDICT_PROBA}
"""The parameter by which a client asks a classifier for probabilities: an extension of ours."""

Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Table:
    """Customers to label: n rows of raw feature values.

    `columns` names the values of each row; None means "in the schema's order".
    """

    values: Rows
    columns: tuple[str, ...] | None = None


class ScoringRequest:
    """The body of one request to `/invocations`, of any content type."""

    __slots__ = (
        "_document",
        "_is_strict",
        "body",
        "content_type",
        "needs_pyfunc",
        "wants_probabilities",
    )

    def __init__(self, content_type: str, body: bytes) -> None:
        self.content_type = content_type
        self.body = body
        self.wants_probabilities = False
        """Whether `strictly_typed_rows` has found rows whose probabilities are asked for."""
        self.needs_pyfunc = False
        """Whether the compiled model has failed on it: it is not asked again."""
        self._document: Any = None
        self._is_strict: bool | None = None

    def document(self) -> Any:
        """Return what the body holds as JSON; it is decoded when this is first called.

        Raises:
            BadRequest: it is no JSON.
            PayloadTooLarge: it holds more lists, objects or values than `limits` allows.
        """
        if self._is_strict is None:
            self._document, self._is_strict = _decode(self.body)
        return self._document

    def strictly_typed_rows(self, names: list[str]) -> Rows | None:
        """Return the rows if the body can only be meant as a table of these columns.

        None where there is any doubt that MLflow's own code would read the same rows. Each row's
        cells are in the order of `names`, as JSON has them; their types are not checked.

        Raises:
            BadRequest: the content type says JSON and the body is none.
        """
        if self.content_type not in JSON_HEADERS:
            return None
        document = self.document()
        if not self._is_strict or type(document) is not dict:
            return None
        if len(document) == 2 and document.get("params") == PROBABILITIES:
            self.wants_probabilities = True
            document = {form: value for form, value in document.items() if form != "params"}
        if len(document) != 1:
            return None
        ((form, value),) = document.items()
        # NumPy strips a zero from the end of a text; one character is found much faster than six.
        if b"\\" in self.body and b"\\u0000" in self.body:
            return None
        read = _STRICT_FORMS.get(form)
        return (read(value, names) or None) if read else None


def decode(body: bytes) -> Any:
    """Return what a body holds as JSON.

    Raises:
        BadRequest: it is no JSON.
    """
    return _decode(body)[0]


def parse(document: Any) -> Table:
    """Read the rows of a document in one of the JSON forms.

    Raises:
        BadRequest: none or several of the forms, or rows that do not fit their columns.
        PayloadTooLarge: records of too many names.
    """
    form, value = parse_form(document)
    if form == "dataframe_split" or (form in AZURE_FORMS and _is_split(value)):
        return _split(value, form)
    if form == "dataframe_records":
        return _records(value, form)
    return _tensor(value, form)


def parse_form(document: Any) -> tuple[str, Any]:
    """Return the one form that a document has, and what is in it.

    Raises:
        BadRequest: none or several of the forms.
    """
    if not isinstance(document, dict):
        raise BadRequest(f"The body must be a JSON object with one of the keys {_quoted(FORMS)}.")
    present = [form for form in FORMS if form in document] or [
        form for form in AZURE_FORMS if form in document
    ]
    if len(present) != 1:
        found = f"several ({_quoted(present)})" if present else "none"
        raise BadRequest(
            f"The body must hold exactly one of the keys {_quoted(FORMS)}; it has {found}."
        )
    return present[0], document[present[0]]


def render(predictions: Any) -> bytes:
    """Return the body of a response, to the byte as MLflow writes it.

    Args:
        predictions: what JSON knows; NaN and infinities are written as Python does.
    """
    if predictions and type(predictions[0]) is str:
        if len(predictions) == 1:
            return _render_label(predictions[0])
        text = f"[{', '.join(map(_encode_label, predictions))}]"
    else:
        text = _ENCODER.encode(predictions)
    return f'{{"predictions": {text}}}'.encode()


def render_probabilities(probabilities: list[list[float]], classes: Sequence[Any]) -> bytes:
    """Return the body of a response with a number a class for each row."""
    return _ENCODER.encode({"predictions": probabilities, "classes": classes}).encode()


def render_error(error_code: str, message: str) -> bytes:
    """Return the body of an error response, in the form that MLflow gives it."""
    return _ENCODER.encode({"error_code": error_code, "message": message}).encode()


_LIST = frozenset({list})
_SPLIT = frozenset({"columns", "data", "index"})
_ROW_NAMES = frozenset({str, int})
_DECODER = msgspec.json.Decoder()
_ENCODER = json.JSONEncoder()
_encode_label = lru_cache(maxsize=1000, typed=True)(_ENCODER.encode)  # a model has few of them


@lru_cache(maxsize=1000)
def _render_label(label: str) -> bytes:
    """Return the body of a response to one row, which is what most requests ask for."""
    return f'{{"predictions": [{_ENCODER.encode(label)}]}}'.encode()


def _strict_split(value: Any, names: list[str]) -> Rows | None:
    if type(value) is not dict or type(value.get("data")) is not list:
        return None
    rows, columns = value["data"], value.get("columns", names)
    if "index" in value and not _names_rows(value["index"], len(rows)):
        return None
    if not value.keys() <= _SPLIT or type(columns) is not list:
        return None
    if not _have_width(rows, len(columns)):
        return None
    if columns == names:
        return rows  # type: ignore[no-any-return]
    return _reordered(columns, rows, names)


def _names_rows(index: Any, rows: int) -> bool:
    """Return whether an index has a name for each row, on which no prediction depends."""
    return type(index) is list and len(index) == rows and _ROW_NAMES.issuperset(map(type, index))


def _reordered(columns: list[Any], rows: Rows, names: list[str]) -> Rows | None:
    try:
        position = {name: i for i, name in enumerate(columns)}
        positions = [position[name] for name in names]
    except (KeyError, TypeError):
        return None
    if len(position) < len(columns):
        return None
    return [[row[i] for i in positions] for row in rows]


def _strict_records(value: Any, names: list[str]) -> Rows | None:
    if type(value) is not list:
        return None
    try:
        return [[record[name] for name in names] for record in value]
    except (KeyError, TypeError):
        return None


def _strict_tensor(value: Any, names: list[str]) -> Rows | None:
    if type(value) is dict:
        return _strict_columns(value, names)
    if type(value) is not list or not value:
        return None
    if type(value[0]) is dict:
        rows = _strict_records(value, names)
        # A column too many is ignored, but not before NumPy has made an array of it, or failed to.
        return rows if rows and all(len(record) == len(names) for record in value) else None
    # The rows of one column are values, not lists.
    return value if len(names) > 1 and _have_width(value, len(names)) else None


def _strict_columns(value: Mapping[str, Any], names: list[str]) -> Rows | None:
    if len(value) != len(names) or any(name not in value for name in names):
        return None
    columns = [value[name] for name in names]
    if not all(type(column) is list and len(column) == len(columns[0]) for column in columns):
        return None
    return list(zip(*columns, strict=True))


def _have_width(rows: Sequence[Any], width: int) -> bool:
    return _LIST.issuperset(map(type, rows)) and {width}.issuperset(map(len, rows))


_STRICT_FORMS: Mapping[str, Callable[[Any, list[str]], Rows | None]] = {
    "dataframe_split": _strict_split,
    "dataframe_records": _strict_records,
    "inputs": _strict_tensor,
    "instances": _strict_tensor,
    "data": _strict_tensor,
}


def _decode(body: bytes) -> tuple[Any, bool]:
    """Return what the body holds, and whether it is JSON as RFC 8259 has it.

    Python clients send `NaN` for a missing value, which strict JSON does not know.
    """
    check_json(body)
    try:
        return _DECODER.decode(body), True
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(body), False
    except (ValueError, RecursionError):
        raise BadRequest("The body is not valid JSON.") from None


def _is_split(value: Any) -> bool:
    return isinstance(value, dict) and "data" in value


def _split(value: Any, form: str) -> Table:
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise BadRequest(f"'{form}' must be an object with 'columns' and 'data'.")
    if not value.keys() <= _SPLIT:
        raise BadRequest(f"'{form}' may hold 'columns', 'data' and 'index' only.")
    columns = value.get("columns")
    if columns is None:
        return _positional(value["data"], form)
    if not isinstance(columns, list):
        raise BadRequest(f"'columns' of '{form}' must be a list of names.")
    return _named(_names(columns, form), value["data"], form)


def _records(value: Any, form: str) -> Table:
    if not isinstance(value, list) or not all(isinstance(record, dict) for record in value):
        raise BadRequest(f"'{form}' must be a list of objects, one a row.")
    columns = tuple(dict.fromkeys(name for record in value for name in record))
    check_cells(len(value), len(columns))
    return Table([[record.get(name) for name in columns] for record in value], columns)


def _tensor(value: Any, form: str) -> Table:
    if isinstance(value, dict):
        return _column_lists(value, form)
    if not isinstance(value, list):
        raise BadRequest(f"'{form}' must be a list of rows.")
    if value and all(isinstance(row, dict) for row in value):
        return _records(value, form)
    if value and not any(isinstance(row, (list, dict)) for row in value):
        return Table([[scalar] for scalar in value])
    return _positional(value, form)


def _column_lists(value: Mapping[str, Any], form: str) -> Table:
    columns = [cells if isinstance(cells, list) else [cells] for cells in value.values()]
    if len({len(cells) for cells in columns}) > 1:
        raise BadRequest(f"The columns in '{form}' must be lists of one length.")
    return Table([list(row) for row in zip(*columns, strict=True)], tuple(value))


def _positional(rows: Sequence[Any], form: str) -> Table:
    for number, row in enumerate(rows):
        if not isinstance(row, list):
            raise BadRequest(f"Row {number} of '{form}' must be a list of values.")
    return Table(rows)


def _named(columns: tuple[str, ...], rows: Sequence[Any], form: str) -> Table:
    for number, row in enumerate(_positional(rows, form).values):
        if len(row) != len(columns):
            raise BadRequest(f"Row {number} has {len(row)} values for {len(columns)} columns.")
    return Table(rows, columns)


def _names(columns: Sequence[Any], form: str) -> tuple[str, ...]:
    names = tuple(str(name) for name in columns)
    if len(set(names)) < len(names):
        raise BadRequest(f"'columns' of '{form}' names a column twice.")
    return names


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)

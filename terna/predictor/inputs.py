"""What a client sends to `/invocations`, read by MLflow's own code into what a model takes.

Where MLflow makes a row's meaning depend on how it was sent, or rejects what Terna's clients have
always sent, the document is put into another of MLflow's forms before MLflow reads it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from math import prod
from typing import Any

import pandas as pd
from mlflow.models import Model
from mlflow.types import DataType, Schema, TensorSpec

from terna.contracts import limits, scoring
from terna.contracts.scoring import (
    AZURE_FORMS,
    CONTENT_TYPES,
    FORMS,
    Rows,
    ScoringRequest,
    parse_form,
)
from terna.errors import (
    BadRequest,
    InvalidParameter,
    UnsupportedMediaType,
)
from terna.predictor.mlflow_private import (
    has_type_hints,
    is_unified_llm_input,
    parse_csv_input,
    parse_json_data,
    parse_parquet_input,
)
from terna.predictor.parquet_size import check_parquet

Document = Mapping[str, Any]

# It logs names of columns and parameters that a client sent, where the model does not know them.
logging.getLogger("mlflow.models.utils").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Inputs:
    """One request, as MLflow hands it to a model."""

    data: Any
    """A data frame, an array, named arrays or a list: as the form and the schema have it."""
    params: Any = None
    """The request's `params`, not yet checked against the schema."""
    wrapped: bool = True
    """Whether the response has the key `predictions`, as all but those of language models have."""
    wants_probabilities: bool = False
    """Whether a classifier is asked for the probability of each class instead of its label."""
    describe_error: Callable[[], str] = lambda: ""
    """Returns what is wrong with the request, as far as its JSON and the schema tell; else ""."""

    @property
    def rows(self) -> int:
        """How many rows are to be predicted."""
        named = isinstance(self.data, dict)
        column = next(iter(self.data.values()), ()) if named else self.data
        try:
            return len(column)
        except TypeError:  # a scalar, or an array without a dimension
            return 1


class InputParser:
    """A parser of what the clients of one model send to `/invocations`."""

    def __init__(self, metadata: Model) -> None:
        self._metadata = metadata
        self._schema: Schema | None = metadata.get_input_schema()
        self._names = column_names(self._schema)
        self._text_columns = text_columns(self._schema)
        self._width = _width(self._schema)
        self._takes_tensors = self._schema is not None and self._schema.is_tensor_spec()
        self._has_type_hints = has_type_hints(metadata)

    def parse(self, request: ScoringRequest) -> Inputs:
        """Read a body of one of MLflow's content types.

        Raises:
            UnsupportedMediaType: of another content type, or not in UTF-8.
            PayloadTooLarge: it would take more memory or time than `limits` allows.
            BadRequest, MlflowException: it cannot be read as the schema has it.
        """
        match media_type(request.content_type):
            case scoring.CSV:
                inputs = self._parse_csv(request.body)
            case scoring.JSON:
                inputs = self._parse_json(request.document())
            case _:
                check_parquet(request.body, self._width)
                inputs = Inputs(parse_parquet_input(BytesIO(request.body)))
        restore_text_type(inputs.data, self._text_columns)
        return inputs

    def _parse_csv(self, body: bytes) -> Inputs:
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise BadRequest("The body is not valid UTF-8.") from None
        limits.check_csv(text, self._width)
        return Inputs(parse_csv_input(StringIO(text), schema=self._schema))  # type: ignore[arg-type]

    def _parse_json(self, document: Any) -> Inputs:
        if not isinstance(document, dict):
            parse_form(document)  # says what the body must be
        if is_unified_llm_input(document):
            self._check_table(document, None)
        else:
            document = self._as_checked_table(_rename_azure_forms(document))
        _check_params(document.get("params"))
        parsed = parse_json_data(document, self._metadata, self._schema)
        return Inputs(parsed.data, parsed.params, not parsed.is_unified_llm_input)

    def _as_checked_table(self, document: Document) -> Document:
        """Return the document as MLflow is to read it, once its size is known."""
        if len(_forms(document)) != 1 or self._has_type_hints:
            return document  # no table is made of it
        self._check_table(document, _forms(document)[0])
        document = self._as_table(document)
        (form,) = _forms(document)
        limits.check_arrays(form, document[form], joined=self._takes_tensors)
        return document

    def _check_table(self, document: Document, form: str | None) -> None:
        takes_arrays = self._takes_tensors or self._schema is None
        limits.check_table(document, form, self._width, takes_arrays)

    def _as_table(self, document: Document) -> Document:
        """Return the document as a table with names, where MLflow would lose something."""
        if not self._names:
            return document
        (form,) = _forms(document)
        value = document[form]
        if form == "dataframe_split" and isinstance(value, dict) and value.get("columns") is None:
            return self._by_position(document, value.get("data"), value.get("index"))
        if form in ("inputs", "instances"):
            if _is_table(value) and len(self._names) > 1:
                return self._by_position(document, value)
            return self._with_missing_texts(document, value)
        return document

    def _by_position(self, document: Document, rows: Any, index: Any = None) -> Document:
        """Return rows in the schema's order with names, which MLflow would not give them."""
        if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
            return document
        width = len(self._names)
        for number, row in enumerate(rows):
            if len(row) != width:
                raise InvalidParameter(
                    f"Row {number} has {len(row)} values, and the model takes {width}:"
                    f" {', '.join(self._names)}."
                )
        table = {"columns": self._names, "data": rows, "index": index}
        return {"dataframe_split": table, "params": document.get("params")}

    def _with_missing_texts(self, document: Document, value: Any) -> Document:
        """Return named values as records if a text is missing: NumPy would make it "None"."""
        records, texts = _records(value), set(self._text_columns)
        cells = (item for record in records for item in record.items())
        if not any(name in texts and _is_null(cell) for name, cell in cells):
            return document
        return {"dataframe_records": records, "params": document.get("params")}


def media_type(content_type: str) -> str:
    """Return the media type of a `Content-Type` header, which may add only that it is UTF-8.

    Raises:
        UnsupportedMediaType: it says more, or it is none of MLflow's three.
    """
    name, *parameters = (part.strip() for part in content_type.split(";"))
    given = {key: value for key, _, value in (part.partition("=") for part in parameters)}
    if given.pop("charset", "utf-8").lower() != "utf-8":
        raise UnsupportedMediaType("The scoring server only supports UTF-8")
    if given:
        raise UnsupportedMediaType("Send a content type without parameters other than charset.")
    if name not in CONTENT_TYPES:
        raise UnsupportedMediaType(f"Send one of the content types {', '.join(CONTENT_TYPES)}.")
    return name


def column_names(schema: Schema | None) -> list[str]:
    """Return the columns that a schema names, in its order; none of tensors or unnamed columns."""
    if schema is None or schema.is_tensor_spec() or not has_names(schema):
        return []
    return [str(name) for name in schema.input_names()]


def has_names(schema: Schema) -> bool:
    """Return whether a client can name the columns in JSON, whose keys are no numbers."""
    return all(isinstance(name, str) for name in schema.input_names())


def text_columns(schema: Schema | None) -> tuple[str, ...]:
    """Return the columns of text that a schema names."""
    if schema is None or not column_names(schema):
        return ()
    return tuple(str(column.name) for column in schema.inputs if column.type == DataType.string)


def rows_of_frame(frame: pd.DataFrame, names: Sequence[str]) -> Rows | None:
    """Return the rows of a data frame whose types MLflow has enforced.

    None without rows, on which most models fail, and where a column has None among other cells,
    which some encoders tell apart.
    """
    columns = [frame[name].tolist() for name in names]
    for cells in columns:
        nulls = sum(cell is None for cell in cells)
        if 0 < nulls < len(cells):
            return None
    return list(zip(*columns, strict=True)) or None


def _rename_azure_forms(document: Document) -> Document:
    """Return a document with MLflow's names for Azure ML's `data` and `input_data`."""
    azure_forms = [form for form in AZURE_FORMS if form in document]
    if len(azure_forms) != 1 or any(form in document for form in FORMS):
        return document
    value = document[azure_forms[0]]
    split = isinstance(value, dict) and isinstance(value.get("data"), list)
    return {
        "dataframe_split" if split else "inputs": value,
        "params": document.get("params"),
    }


def restore_text_type(data: Any, names: Sequence[str]) -> None:
    """Make a column without any text a column of missing texts, as it is with a text in it.

    pandas makes None of them where there is no text, and NaN where there is one: scikit-learn's
    encoders take these for different categories, so that a row's answer would depend on the
    rows beside it.
    """
    if not isinstance(data, pd.DataFrame) or data.empty:
        return
    for name in set(names) & set(data):
        column = data[name]
        has_type = column.ndim > 1 or isinstance(column.dtype, pd.StringDtype)
        if not has_type and column.isna().all():
            data[name] = column.astype("str")


def _forms(document: Document) -> list[str]:
    return [form for form in FORMS if form in document]


def _check_params(params: Any) -> None:
    """Check the size of the arrays that MLflow makes of parameters."""
    if isinstance(params, dict):
        limits.check_arrays("inputs", params, joined=False)


def _width(schema: Schema | None) -> int:
    """Return how many columns a data frame has that holds what a schema wants."""
    specs = schema.inputs if schema else ()
    return sum(abs(prod(s.shape)) if isinstance(s, TensorSpec) else 1 for s in specs)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, list) for row in value)


def _records(value: Any) -> list[dict[str, Any]]:
    """Return a list of records, or columns of one length, as records; else an empty list."""
    if isinstance(value, dict):
        columns = [cells if isinstance(cells, list) else [cells] for cells in value.values()]
        if len({len(cells) for cells in columns}) != 1:
            return []
        return [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)]
    if isinstance(value, list) and all(isinstance(record, dict) for record in value):
        return value
    return []


def _is_null(cell: Any) -> bool:
    return cell is None or cell != cell  # NaN differs from itself

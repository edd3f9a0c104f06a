"""What a client sends to `/invocations`, read by MLflow's own code into what a model takes.

Where MLflow makes a row's meaning depend on how it was sent, or refuses what Terna's clients have
always sent, the document is put into another of MLflow's forms before MLflow reads it.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import Any

import pandas as pd
from mlflow.models import Model
from mlflow.pyfunc import scoring_server
from mlflow.pyfunc.utils.serving_data_parser import is_unified_llm_input
from mlflow.types import DataType, Schema

from terna.contracts import scoring
from terna.contracts.scoring import AZURE_FORMS, CONTENT_TYPES, FORMS, Rows
from terna.errors import (
    BadRequest,
    InvalidParameter,
    PayloadTooLarge,
    UnsupportedMediaType,
)

MOST_CELLS = 5_000_000
"""Of a Parquet file, where 50 kB may say one row a million times: what 10 MB of CSV may hold."""

Document = Mapping[str, Any]

# It tells which columns and parameters of a request a model does not know: the client's words.
logging.getLogger("mlflow.models.utils").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Inputs:
    """One request, as MLflow hands it to a model."""

    data: Any
    """A data frame, an array, named arrays or a list: as the form and the signature have it."""
    params: Any = None
    """The request's `params`, not yet held against the signature."""
    wrapped: bool = True
    """The answer has the key `predictions`, as all but those for language models have."""

    @property
    def rows(self) -> int:
        named = isinstance(self.data, dict)
        column = next(iter(self.data.values()), ()) if named else self.data
        try:
            return len(column)
        except TypeError:  # a scalar, or an array without a dimension
            return 1


class Reader:
    """Reads what the clients of one model send."""

    def __init__(self, metadata: Model) -> None:
        self._metadata = metadata
        self._schema: Schema | None = metadata.get_input_schema()
        self._names = column_names(self._schema)
        self._texts = texts(self._schema)

    def read(self, content_type: str, body: bytes) -> Inputs:
        """Read a body of one of MLflow's content types.

        Raises:
            UnsupportedMediaType: of another content type, or not in UTF-8.
            PayloadTooLarge: a Parquet file holds more than `MOST_CELLS`.
            BadRequest, MlflowException: it cannot be read as the signature has it.
        """
        match media_type(content_type):
            case scoring.CSV:
                inputs = self._csv(body)
            case scoring.JSON:
                inputs = self._json(body)
            case _:
                _check_cells(body)
                inputs = Inputs(scoring_server.parse_parquet_input(BytesIO(body)))
        keep_texts(inputs.data, self._texts)
        return inputs

    def _csv(self, body: bytes) -> Inputs:
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise BadRequest("The body is not valid UTF-8.") from None
        return Inputs(scoring_server.parse_csv_input(StringIO(text), schema=self._schema))  # type: ignore[arg-type]

    def _json(self, body: bytes) -> Inputs:
        document = scoring_server._decode_json_input(body)
        if not is_unified_llm_input(document):
            document = self._as_table(_without_azures_names(document))
        parsed = scoring_server._parse_json_data(document, self._metadata, self._schema)
        return Inputs(parsed.data, parsed.params, not parsed.is_unified_llm_input)

    def _as_table(self, document: Document) -> Document:
        """The document as a table with names, where MLflow's reading of it loses something."""
        present = [form for form in FORMS if form in document]
        if not self._names or len(present) != 1:
            return document
        form, value = present[0], document[present[0]]
        if form == "dataframe_split" and isinstance(value, dict) and value.get("columns") is None:
            return self._by_position(document, value.get("data"), value.get("index"))
        if form in ("inputs", "instances"):
            if _is_table(value) and len(self._names) > 1:
                return self._by_position(document, value)
            return self._with_missing_texts(document, value)
        return document

    def _by_position(self, document: Document, rows: Any, index: Any = None) -> Document:
        """Rows in the signature's order, which MLflow takes for rows without names."""
        if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
            return document
        wanted = len(self._names)
        for number, row in enumerate(rows):
            if len(row) != wanted:
                raise InvalidParameter(
                    f"Row {number} has {len(row)} values, and the model takes {wanted}:"
                    f" {', '.join(self._names)}."
                )
        table = {"columns": self._names, "data": rows, "index": index}
        return {"dataframe_split": table, "params": document.get("params")}

    def _with_missing_texts(self, document: Document, value: Any) -> Document:
        """Named values with a missing text, of which NumPy would make the text "None" or "nan"."""
        records = _records(value)
        missing = any(_is_missing(r.get(name, "")) for r in records for name in self._texts)
        if not missing:
            return document
        return {"dataframe_records": records, "params": document.get("params")}


def media_type(content_type: str) -> str:
    """The media type of a `Content-Type` header, which may say no more than that it is UTF-8.

    Raises:
        UnsupportedMediaType: it says more, or it is none of MLflow's three.
    """
    name, *parameters = (part.strip() for part in content_type.split(";"))
    said = {key: value for key, _, value in (part.partition("=") for part in parameters)}
    if said.pop("charset", "utf-8").lower() != "utf-8":
        raise UnsupportedMediaType("The scoring server only supports UTF-8")
    if said:
        raise UnsupportedMediaType("Send a content type without parameters other than charset.")
    if name not in CONTENT_TYPES:
        raise UnsupportedMediaType(f"Send one of the content types {', '.join(CONTENT_TYPES)}.")
    return name


def column_names(schema: Schema | None) -> list[str]:
    """The columns that a signature names, in its order; none of tensors or unnamed columns."""
    if schema is None or schema.is_tensor_spec() or not schema.has_input_names():
        return []
    return [str(name) for name in schema.input_names()]


def texts(schema: Schema | None) -> tuple[str, ...]:
    """The columns of text that a signature names."""
    return tuple(
        name
        for name in column_names(schema)
        if schema is not None and schema.input_dict()[name].type == DataType.string
    )


def _without_azures_names(document: Document) -> Document:
    """Azure ML's `data` and `input_data`, which MLflow would not know, by MLflow's names."""
    azures = [form for form in AZURE_FORMS if form in document]
    if len(azures) != 1 or any(form in document for form in FORMS):
        return document
    value = document[azures[0]]
    split = isinstance(value, dict) and isinstance(value.get("data"), list)
    return {
        "dataframe_split" if split else "inputs": value,
        "params": document.get("params"),
    }


def keep_texts(data: Any, names: Sequence[str]) -> None:
    """A column without any text stays a column of missing texts, as it is with a text in it.

    pandas makes None of them where there is no text, and NaN where there is one: scikit-learn's
    encoders take these for different categories, so that a row's answer would depend on the
    rows beside it.
    """
    if not isinstance(data, pd.DataFrame):
        return
    for name in set(names) & set(data):
        column = data[name]
        known = column.ndim > 1 or isinstance(column.dtype, pd.StringDtype)
        if not known and column.isna().all():
            data[name] = column.astype("str")


def _check_cells(body: bytes) -> None:
    from pyarrow import parquet  # megabytes, which only they need who are sent such a file

    said = parquet.read_metadata(BytesIO(body))
    rows = sum(said.row_group(number).num_rows for number in range(said.num_row_groups))
    if rows * said.num_columns > MOST_CELLS:
        raise PayloadTooLarge(f"Send at most {MOST_CELLS} values at a time: fewer rows.")


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, list) for row in value)


def _records(value: Any) -> list[dict[str, Any]]:
    """A list of records, or columns of one length, as records; nothing else."""
    if isinstance(value, dict):
        columns = [cells if isinstance(cells, list) else [cells] for cells in value.values()]
        if len({len(cells) for cells in columns}) != 1:
            return []
        return [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)]
    if isinstance(value, list) and all(isinstance(record, dict) for record in value):
        return value
    return []


def _is_missing(cell: Any) -> bool:
    return cell is None or cell != cell  # NaN is not itself


def rows_of_frame(frame: pd.DataFrame, names: Sequence[str]) -> Rows | None:
    """Return the rows of a frame that MLflow has held against the schema.

    None if there are none, on which most models fail, or if a column has None among other cells,
    which some encoders tell apart from NaN.
    """
    columns = [frame[name].tolist() for name in names]
    for cells in columns:
        nulls = sum(cell is None for cell in cells)
        if 0 < nulls < len(cells):
            return None
    return list(zip(*columns, strict=True)) or None

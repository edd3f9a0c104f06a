"""One version, loaded: from a verified directory to labels."""

from collections.abc import Callable, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from mlflow.pyfunc import PyFuncModel, load_model
from mlflow.types import ColSpec, DataType, Schema

from terna.contracts import reference
from terna.contracts.errors import BadRequest, LoadFailed, PredictionFailed, ReferenceMismatch
from terna.contracts.scoring import Rows
from terna.contracts.version import Version

Cells = Sequence[Any]
LARGEST = 2**63
LARGEST_FLOAT = float(np.finfo(np.float32).max)


class LoadedModel:
    """A version that answers."""

    def __init__(self, version: Version, model: PyFuncModel, schema: Schema) -> None:
        self.version = version
        self._model = model
        self._columns = _columns(schema)

    @classmethod
    def load(cls, version: Version, folder: Path) -> Self:
        """Load a directory whose signature has been verified.

        Raises:
            LoadFailed: no model, one of another name or run, or without a column signature.
        """
        try:
            model = load_model(str(folder))
        except Exception as error:
            raise LoadFailed(f"{version} cannot be loaded: {type(error).__name__}") from error
        _check_identity(version, model.metadata.metadata or {})
        schema = model.metadata.get_input_schema()
        if schema is None or schema.is_tensor_spec():
            raise LoadFailed(f"{version} has no signature that names its columns.")
        return cls(version, model, schema)

    def predict(self, rows: Rows) -> list[Any]:
        """One label a row.

        Raises:
            BadRequest: a column is missing, or a value is not of its column's type.
            PredictionFailed: the model itself fails.
        """
        if not rows.values:
            return []
        frame = self._frame(rows)
        try:
            return list(np.asarray(self._model.predict(frame)).tolist())
        except Exception as error:
            raise PredictionFailed("The model failed on these rows.") from error

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
        except (BadRequest, PredictionFailed) as error:
            raise ReferenceMismatch(f"{self.version} fails on its reference rows.") from error
        different = sum(a != b for a, b in zip(answered, expected, strict=False))
        if not answered or len(answered) != len(expected) or different:
            raise ReferenceMismatch(
                f"{self.version} answers {different} of {len(expected)} reference rows other than"
                " training recorded."
            )

    def _frame(self, rows: Rows) -> pd.DataFrame:
        """The rows as the signature has them: shape (n, columns), in its order and types."""
        columns = self._by_position(rows) if rows.columns is None else self._by_name(rows)
        return pd.DataFrame(
            {name: _typed(name, kind, columns[name]) for name, kind in self._columns.items()}
        )

    def _by_position(self, rows: Rows) -> Mapping[str, Cells]:
        wanted = len(self._columns)
        for number, row in enumerate(rows.values):
            if len(row) != wanted:
                raise BadRequest(
                    f"Row {number} has {len(row)} values, and the model takes {wanted}:"
                    f" {', '.join(self._columns)}."
                )
        return {name: [row[i] for row in rows.values] for i, name in enumerate(self._columns)}

    def _by_name(self, rows: Rows) -> Mapping[str, Cells]:
        position = {name: i for i, name in enumerate(rows.columns or ())}
        missing = [name for name in self._columns if name not in position]
        if missing:
            raise BadRequest(f"Missing columns: {', '.join(missing)}.")
        return {name: [row[position[name]] for row in rows.values] for name in self._columns}


def _columns(schema: Schema) -> dict[str, DataType]:
    """The type of each column, in the signature's order."""
    return {
        str(column.name): column.type
        for column in schema.inputs
        if isinstance(column, ColSpec) and isinstance(column.type, DataType)
    }


def _check_identity(version: Version, signed: Mapping[str, Any]) -> None:
    """The signature covers the files, not their place in the registry: compare what they say."""
    if signed.get("model") != version.name or signed.get("run_id") != version.run_id:
        raise LoadFailed(f"{version} holds the files of another model or run.")


def _typed(name: str, kind: DataType, cells: Cells) -> pd.Series:
    if kind not in _KINDS:
        return pd.Series(cells)
    belongs, words, dtype = _KINDS[kind]
    for number, cell in enumerate(cells):
        if not belongs(cell):
            raise BadRequest(f"Row {number}: '{name}' must be {words}.")
    try:
        return pd.Series(cells, dtype=dtype)
    except (OverflowError, ValueError):
        raise BadRequest(f"'{name}' holds a number that is too large for it.") from None


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


_Kind = tuple[Callable[[Any], bool], str, str]
_KINDS: Mapping[DataType, _Kind] = {
    DataType.boolean: (_is_truth, "true or false", "bool"),
    DataType.integer: (_is_whole, "a whole number", "int32"),
    DataType.long: (_is_whole, "a whole number", "int64"),
    DataType.float: (_is_number, "a number or null", "float32"),
    DataType.double: (_is_number, "a number or null", "float64"),
    DataType.string: (_is_text, "text or null", "str"),
}

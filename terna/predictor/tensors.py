"""Conversion of the Open Inference Protocol's tensors to what a model takes, and back.

A model with named columns takes a tensor a column, of shape [n] or [n, 1], or one tensor of shape
[n, columns] in the schema's order. A model with tensors in its schema takes those. Without
a schema a model gets the one array, or the arrays by name.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import Model
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from numpy.typing import NDArray

from terna.contracts import limits
from terna.contracts.open_inference import InferenceRequest, Tensors, datatype
from terna.contracts.scoring import Table
from terna.errors import BadRequest, InternalError
from terna.predictor.error_messages import listed
from terna.predictor.inputs import (
    Inputs,
    column_names,
    has_names,
    restore_text_type,
    text_columns,
)
from terna.predictor.mlflow_private import cast_df_types_according_to_schema

PROBABILITIES = "probabilities"
"""The name of the second output, of shape [n, classes], where probabilities are asked for."""

INPUT, OUTPUT = "input-0", "output-0"
"""The name of a tensor that the schema does not name, as MLServer and KServe have it."""

_DATATYPES: Mapping[DataType, str] = {
    DataType.boolean: "BOOL",
    DataType.integer: "INT32",
    DataType.long: "INT64",
    DataType.float: "FP32",
    DataType.double: "FP64",
}


def table(request: InferenceRequest, schema: Schema | None) -> Table | None:
    """Return the tensors as a table; None where the schema names no columns.

    Raises:
        BadRequest: the tensors are not of one length, or of another shape than columns have.
    """
    names = column_names(schema)
    if not names:
        return None
    tensors = request.tensors
    if len(tensors) == 1:
        (array,) = tensors.values()
        if array.ndim == 2 and array.shape[1] == len(names) and not set(tensors) & set(names):
            return Table(array.tolist(), tuple(names))
    if missing := [n for n in _required(schema) if n not in tensors]:
        raise BadRequest(f"Missing columns: {listed(missing)}.")
    limits.check_cells(count_rows(request), len(names))
    columns = {name: _column(name, tensors[name]) for name in names if name in tensors}
    if len({len(column) for column in columns.values()}) > 1:
        raise BadRequest("The columns must be tensors of one length.")
    return Table(list(zip(*columns.values(), strict=True)), tuple(columns))


def count_rows(request: InferenceRequest) -> int:
    """Return how many rows the tensors hold: their first length."""
    return max((array.shape[0] for array in request.tensors.values() if array.ndim), default=0)


def inputs(request: InferenceRequest, table: Table | None, metadata: Model) -> Inputs:
    """Return what MLflow hands to the model.

    Raises:
        BadRequest: a tensor is missing.
        MlflowException, ValueError, TypeError: a value does not fit the schema.
    """
    schema = metadata.get_input_schema()
    known = {param.name for param in getattr(metadata.get_params_schema(), "params", ())}
    params = {name: value for name, value in request.parameters.items() if name in known}
    if table is not None:
        frame = pd.DataFrame(list(table.values), columns=list(table.columns or ()))
        frame = cast_df_types_according_to_schema(frame, schema)
        restore_text_type(frame, text_columns(schema))
        return Inputs(frame, params)
    return Inputs(_arrays(request.tensors, schema), params)


def outputs(predictions: Any, schema: Schema | None) -> Tensors:
    """Return what the model returned, as named tensors.

    Raises:
        InternalError: it is nothing that tensors hold.
    """
    try:
        return _outputs(predictions, schema)
    except Exception as error:
        raise InternalError("The model's answer is no tensor.") from error


def describe_inputs(schema: Schema | None) -> list[dict[str, Any]]:
    """Describe the tensors that a model takes, for its metadata."""
    return [_describe(spec, INPUT, [-1, 1]) for spec in (schema.inputs if schema else ())]


def describe_outputs(schema: Schema | None) -> list[dict[str, Any]]:
    """Describe the tensors that a model returns, as far as its schema says."""
    return [_describe(spec, OUTPUT, [-1]) for spec in (schema.inputs if schema else ())]


def _describe(spec: ColSpec | TensorSpec, unnamed: str, shape: list[int]) -> dict[str, Any]:
    name = str(spec.name or unnamed)
    if isinstance(spec, TensorSpec):
        return {"name": name, "datatype": datatype(spec.type), "shape": list(spec.shape)}
    kind = _DATATYPES.get(spec.type, "BYTES") if isinstance(spec.type, DataType) else "BYTES"
    return {"name": name, "datatype": kind, "shape": shape}


def _required(schema: Schema | None) -> list[str]:
    return [str(name) for name in schema.required_input_names()] if schema else []


def _column(name: str, array: NDArray[Any]) -> list[Any]:
    if array.ndim != 1 and array.shape[1:] != (1,):
        raise BadRequest(f"The column '{name}' must be a tensor of shape [n] or [n, 1].")
    return array.ravel().tolist()


def _arrays(tensors: Tensors, schema: Schema | None) -> Any:
    if schema is None or not has_names(schema):
        if len(tensors) != 1 and schema is not None:
            raise BadRequest("The model takes one tensor.")
        arrays = list(tensors.values())
        dtype = schema.inputs[0].type if schema and schema.is_tensor_spec() else None
        return _cast(arrays[0], dtype) if len(arrays) == 1 else dict(tensors)
    if missing := [n for n in _required(schema) if n not in tensors]:
        raise BadRequest(f"Missing tensors: {listed(missing)}.")
    types = {str(spec.name): spec.type for spec in schema.inputs}
    return {name: _cast(array, types.get(name)) for name, array in tensors.items()}


def _cast(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return an array of the schema's type.

    Raises:
        BadRequest: the type does not hold a value of it.
    """
    if not isinstance(dtype, np.dtype):
        return array
    if dtype.kind == "U":  # as wide as the longest text
        limits.check_arrays("inputs", {"": array.ravel().tolist()}, joined=False)
    cast = _cast_safely(array, dtype)
    if cast is None:
        raise BadRequest(f"The model takes a tensor of {datatype(dtype)}: a value is none.")
    return cast


def _cast_safely(array: NDArray[Any], dtype: "np.dtype[Any]") -> NDArray[Any] | None:
    """Return an array of another type, of floats rounded; None where it does not hold a value."""
    if array.dtype == dtype or array.size == 0 or dtype.kind not in "biuf":
        return array.astype(dtype)
    if array.dtype.kind not in "biuf":
        return None
    with np.errstate(all="ignore"):  # found by the comparison
        cast = array.astype(dtype)
    if dtype.kind == "f":
        fits = np.isinf(cast) == np.isinf(array)
    else:
        fits = (cast == array) & ((cast < 0) == (array < 0))
    return cast if fits.all() else None


def _outputs(predictions: Any, schema: Schema | None) -> Tensors:
    specs = {str(spec.name or OUTPUT): spec for spec in (schema.inputs if schema else ())}
    arrays = {name: np.atleast_1d(_array(part)) for name, part in _named(predictions, specs)}
    return {name: _cast_to_schema(array, specs.get(name)) for name, array in arrays.items()}


def _named(predictions: Any, specs: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Return what the model returned by the names of outputs: its own, else the schema's."""
    if isinstance(predictions, list) and predictions and isinstance(predictions[0], dict):
        predictions = pd.DataFrame(predictions)
    if isinstance(predictions, pd.DataFrame):
        return [(str(name), _cells(predictions[name])) for name in predictions]
    if isinstance(predictions, dict):
        return [(str(name), part) for name, part in predictions.items()]
    if len(specs) < 2:
        return [(next(iter(specs), OUTPUT), predictions)]
    array = _array(predictions)
    if array.size == 0:
        return [(name, []) for name in specs]
    if array.ndim == 2 and array.shape[1] == len(specs):
        return list(zip(specs, array.T, strict=True))
    return [(OUTPUT, array)]


def _cells(column: Any) -> Any:
    """Return the cells of a column; lists in them are rows of a tensor."""
    values = column.tolist() if isinstance(column, pd.Series) else None
    return values if values and isinstance(values[0], list | np.ndarray) else column


def _array(values: Any) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind == "c" or array.dtype.kind == "V":
        raise TypeError("no tensor holds this")
    return array


def _cast_to_schema(array: NDArray[Any], spec: ColSpec | TensorSpec | None) -> NDArray[Any]:
    """Return an array of the schema's type and, without rows, of its width.

    An array of which the schema's type does not hold a value stays what it is.
    """
    dtype = _dtype(spec)
    if array.size == 0 and isinstance(spec, TensorSpec):
        array = array.reshape(0, *(max(size, 0) for size in spec.shape[1:]))
    if dtype is None or (dtype.kind not in "biuf" and array.dtype.kind in "OUM" and array.size):
        return array
    cast = _cast_safely(array, np.dtype("O") if dtype.kind in "USO" else dtype)
    return array if cast is None else cast


def _dtype(spec: ColSpec | TensorSpec | None) -> "np.dtype[Any] | None":
    kind = spec.type if spec else None
    if isinstance(kind, DataType):
        kind = kind.to_numpy()
    return kind if isinstance(kind, np.dtype) else None

"""The Open Inference Protocol, version 2: named tensors over HTTP, as KServe and Triton speak it.

https://github.com/kserve/open-inference-protocol, with Triton's binary tensor data extension,
which `tritonclient` uses unless told otherwise.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from math import prod
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from terna.contracts.limits import MAX_CELLS, MAX_RANK, check_json
from terna.errors import BadRequest

HEADER_LENGTH = "inference-header-content-length"
"""The HTTP header that says how much of a body is JSON, when tensors follow in binary."""

EXTENSIONS = ("binary_tensor_data",)

Tensors = Mapping[str, NDArray[Any]]
"""Named arrays. A tensor of BYTES is an array of `str` objects, None where one is missing."""

DATATYPES: Mapping[str, "np.dtype[Any]"] = {
    "BOOL": np.dtype("bool"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype("O"),
}
_NAMES = {dtype: name for name, dtype in DATATYPES.items()}
_LENGTH = struct.Struct("<I")

MAX_VALUES = 2**31
"""Values of a tensor; a body holds fewer."""


@dataclass(frozen=True)
class InferenceRequest:
    """One request to `/infer`."""

    tensors: Tensors
    id: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    binary: bool = False
    """Outputs that are not asked for by name go back in binary."""
    requested_outputs: Mapping[str, bool] | None = None
    """The outputs asked for by name, and whether each goes back in binary; None for all."""

    @property
    def timeout_seconds(self) -> float | None:
        """How long the client waits, by Triton's parameter `timeout`; None without a limit."""
        return self.parameters.get("timeout", 0) / 1_000_000 or None


def parse(body: bytes, header_length: str = "") -> InferenceRequest:
    """Read a request body.

    Args:
        header_length: the HTTP header `HEADER_LENGTH`, empty if there is none.

    Raises:
        BadRequest: the body is no such request, or a tensor does not hold what it declares.
        PayloadTooLarge: the JSON holds more than `limits` allows.
    """
    length = _header_length(header_length, len(body))
    request = _decode(body[:length])
    binary = _BinaryData(memoryview(body)[length:])
    tensors = {tensor.name: _array(i, tensor, binary) for i, tensor in enumerate(request.inputs)}
    if len(tensors) < len(request.inputs):
        raise BadRequest("Two inputs have one name.")
    if not binary.is_read:
        raise BadRequest("The body holds more binary data than its inputs say.")
    outputs = request.outputs or ()
    requested = {o.name: bool((o.parameters or {}).get("binary_data")) for o in outputs}
    parameters = request.parameters or {}
    _check_timeout(parameters.get("timeout", 0))
    return InferenceRequest(
        tensors,
        request.id,
        parameters,
        bool(parameters.get("binary_data_output")),
        requested or None,
    )


def render(
    model: str,
    version: str,
    request: InferenceRequest,
    outputs: Tensors,
    parameters: Mapping[str, Any] | None = None,
) -> tuple[bytes, int | None]:
    """Return the body of a response, and how many of its bytes are JSON if binary data follows.

    Args:
        parameters: of the response, if it has any.

    Raises:
        BadRequest: the model has no output of a name that is asked for.
        ValueError, TypeError: an array holds what no tensor can.
    """
    requested = request.requested_outputs or dict.fromkeys(outputs, request.binary)
    if not requested.keys() <= outputs.keys():
        raise BadRequest("The model has no output of a name that 'outputs' asks for.")
    tensors, blobs = [], []
    for name, binary in requested.items():
        tensor = {"name": name} | describe(outputs[name])
        if binary:
            blobs.append(_to_binary(outputs[name]))
            tensor["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            tensor["data"] = _to_list(outputs[name])
        tensors.append(tensor)
    document: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": tensors}
    if request.id is not None:
        document["id"] = request.id
    if parameters:
        document["parameters"] = parameters
    head = msgspec.json.encode(document)
    return head + b"".join(blobs), len(head) if blobs else None


def render_error(message: str) -> bytes:
    """Return the body of an error response."""
    return msgspec.json.encode({"error": message})


def describe(array: NDArray[Any]) -> dict[str, Any]:
    """Return the datatype and shape of an array, as the protocol names them."""
    return {"datatype": datatype(array.dtype), "shape": list(array.shape)}


def datatype(dtype: "np.dtype[Any]") -> str:
    """Return the protocol's name of a NumPy type; texts, dates and other objects are BYTES."""
    return _NAMES.get(dtype.newbyteorder("<"), "BYTES")


class _Input(msgspec.Struct):
    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] | None = None
    data: Any = None


class _Output(msgspec.Struct):
    name: str
    parameters: dict[str, Any] | None = None


class _Request(msgspec.Struct):
    inputs: list[_Input]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[_Output] | None = None


_DECODER = msgspec.json.Decoder(_Request)


def _header_length(header: str, available: int) -> int:
    """Return how many bytes of the body are JSON: all of them without the header."""
    if not header:
        return available
    # No length has more than 20 digits, and Python refuses to convert thousands of them.
    if not header.isdecimal() or len(header) > 20 or int(header) > available:
        raise BadRequest(f"The header {HEADER_LENGTH} is no length within the body.")
    return int(header)


def _check_timeout(timeout: Any) -> None:
    """Check Triton's parameter: microseconds, in 64 bits; 0 is no limit."""
    if type(timeout) is not int or not 0 <= timeout < 2**64:
        raise BadRequest("The parameter 'timeout' must be a whole number of microseconds.")


def _decode(text: bytes) -> _Request:
    check_json(text)
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_leniently(text)


def _decode_leniently(text: bytes) -> _Request:
    """Decode what Python's `json` takes: Python clients send `NaN` for a missing value."""
    try:
        return msgspec.convert(json.loads(text), _Request)
    except msgspec.ValidationError:
        raise BadRequest(
            "The body must be an object with 'inputs', each with 'name', 'shape' and 'datatype'."
        ) from None
    except (ValueError, RecursionError):
        raise BadRequest("The body is not valid JSON.") from None


class _BinaryData:
    """The binary data behind the JSON of a request, taken tensor by tensor."""

    def __init__(self, data: memoryview) -> None:
        self._data = data

    @property
    def is_read(self) -> bool:
        return not self._data

    def take(self, size: int) -> memoryview:
        taken, self._data = self._data[:size], self._data[size:]
        return taken


def _array(number: int, tensor: _Input, binary: _BinaryData) -> NDArray[Any]:
    dtype = DATATYPES.get(tensor.datatype)
    if dtype is None:
        raise BadRequest(f"The datatype of input {number} is none of: {', '.join(DATATYPES)}.")
    _check_shape(number, tensor.shape)
    size = (tensor.parameters or {}).get("binary_data_size")
    values = (
        _from_list(number, tensor.data, dtype)
        if size is None
        else _from_binary(number, size, binary, dtype)
    )
    if len(values) != prod(tensor.shape):
        raise BadRequest(f"Input {number} does not hold as many values as its shape says.")
    return values.reshape(tensor.shape)


def _check_shape(number: int, shape: list[int]) -> None:
    """Check a shape before its sizes, which may be numbers of thousands of digits, are multiplied.

    The sizes beside a zero are multiplied too: a list of each row may be made of no values.
    """
    if len(shape) > MAX_RANK:
        raise BadRequest(f"The shape of input {number} is too large.")
    if any(size < 0 for size in shape):
        raise BadRequest(f"The shape of input {number} is negative.")
    limit = MAX_CELLS if 0 in shape else MAX_VALUES
    total = 1
    for size in shape:
        if size > limit:
            raise BadRequest(f"The shape of input {number} is too large.")
        total *= size or 1
        if total > limit:
            raise BadRequest(f"The shape of input {number} is too large.")


def _from_list(number: int, data: Any, dtype: "np.dtype[Any]") -> NDArray[Any]:
    """Return an array of values that are nested or flat, in row-major order."""
    if not isinstance(data, list):
        raise BadRequest(f"Input {number} needs a list 'data', or binary data.")
    values = _flat(data)
    if not _holds(dtype, values):
        raise _wrong_datatype(number)
    try:
        with np.errstate(over="ignore"):  # found by the comparison
            array = np.array(values, dtype)
    except (ValueError, TypeError, OverflowError):
        raise _wrong_datatype(number) from None
    if dtype.kind == "f" and np.isinf(array).sum() != sum(map(_is_infinite, values)):
        raise _wrong_datatype(number)
    return array


def _flat(values: list[Any]) -> list[Any]:
    """Return the values of nested lists; ragged ones stay lists, which no datatype holds."""
    for _ in range(MAX_RANK):
        if set(map(type, values)) != {list} or len(set(map(len, values))) > 1:
            break
        values = list(chain.from_iterable(values))
    return values


def _holds(dtype: "np.dtype[Any]", values: list[Any]) -> bool:
    """Return whether values of JSON are of a datatype: a whole number may be written as 3.0."""
    kinds = set(map(type, values))
    if dtype.hasobject:
        return kinds <= {str, type(None)}
    if dtype.kind == "b":
        return kinds <= {bool, int} and set(values) <= {0, 1}
    if dtype.kind == "f":
        return kinds <= {float, int, type(None)}  # NaN comes as null
    if not kinds <= {float, int}:
        return False
    whole = float not in kinds or all(v.is_integer() for v in values if type(v) is float)
    limits = np.iinfo(dtype)
    return whole and all(limits.min <= value <= limits.max for value in values)


def _is_infinite(value: Any) -> bool:
    return type(value) is float and abs(value) == float("inf")


def _from_binary(
    number: int, size: Any, binary: _BinaryData, dtype: "np.dtype[Any]"
) -> NDArray[Any]:
    """Return an array of the next `size` bytes."""
    data = binary.take(size) if isinstance(size, int) and size >= 0 else memoryview(b"")
    if len(data) != size:
        raise BadRequest(f"The 'binary_data_size' of input {number} is not within the body.")
    try:
        if dtype.hasobject:
            return np.array([*_texts(data), None], dtype)[:-1]  # texts, even if there are none
        if dtype.kind == "b" and max(data, default=0) > 1:
            raise ValueError("a byte that is no truth")
        return np.frombuffer(data, dtype)
    except (ValueError, struct.error):
        raise _wrong_datatype(number) from None


def _texts(data: memoryview) -> Iterator[str]:
    """Yield texts, each preceded by its length in four bytes."""
    position = 0
    while position < len(data):
        (length,) = _LENGTH.unpack_from(data, position)
        position += _LENGTH.size + length
        if position > len(data):
            raise ValueError("cut short")
        yield str(data[position - length : position], "utf-8")


def _wrong_datatype(number: int) -> BadRequest:
    return BadRequest(f"Input {number} holds a value that is not of its datatype.")


def _to_list(array: NDArray[Any]) -> list[Any]:
    """Return the values flat, in row-major order; the encoder writes NaN and infinities as null."""
    return [*_as_texts(array)] if _is_bytes(array) else array.ravel().tolist()


def _to_binary(array: NDArray[Any]) -> bytes:
    if not _is_bytes(array):
        return array.astype(array.dtype.newbyteorder("<")).tobytes()
    encoded = (b"" if text is None else text.encode() for text in _as_texts(array))
    return b"".join(_LENGTH.pack(len(text)) + text for text in encoded)


def _is_bytes(array: NDArray[Any]) -> bool:
    return datatype(array.dtype) == "BYTES"


def _as_texts(array: NDArray[Any]) -> Iterator[str | None]:
    if array.dtype.kind == "M":
        array = np.datetime_as_string(array)
    for value in array.ravel().tolist():
        if isinstance(value, (list, dict, tuple)):
            raise TypeError("a tensor does not nest")
        missing = value is None or value != value  # NaN and NaT differ from themselves
        yield None if missing else value if isinstance(value, str) else str(value)

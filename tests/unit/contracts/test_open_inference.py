"""Tensors survive the Open Inference Protocol, and errors repeat no value."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from terna.contracts.open_inference import (
    DATATYPES,
    InferenceRequest,
    datatype,
    parse,
    render,
    render_error,
)
from terna.errors import BadRequest

SECRET = "Ada Lovelace"
INPUT = {"name": "calls", "datatype": "INT64", "shape": [2], "data": [1, 2]}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
numbers = st.sampled_from([dtype for dtype in DATATYPES.values() if not dtype.hasobject])
shapes = arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3)
numeric = numbers.flatmap(lambda dtype: arrays.arrays(dtype, shapes))
textual = arrays.arrays(object, shapes, elements=texts, fill=st.nothing())


def body(*inputs: Any, **more: Any) -> bytes:
    return json.dumps({"inputs": inputs, **more}).encode()


def sent_back(array: NDArray[Any], binary: bool) -> NDArray[Any]:
    """An output, read as an input: both say a tensor in the same words."""
    answer, length = render("m", "1", InferenceRequest({}, binary=binary), {"t": array})
    document = json.loads(answer[:length])
    document["inputs"] = document.pop("outputs")
    head = json.dumps(document).encode()
    return parse(head + (answer[length:] if length else b""), str(len(head))).tensors["t"]


@given(numeric | textual)
@example(np.array([], dtype=object))
@example(np.array([[1.5, np.nan]], dtype=">f8"))
def test_tensor_survives_binary_round_trip(array: NDArray[Any]) -> None:
    back = sent_back(array, binary=True)

    assert datatype(back.dtype) == datatype(array.dtype)
    np.testing.assert_array_equal(back, array)


@given(numeric | textual)
def test_tensor_survives_json_round_trip(array: NDArray[Any]) -> None:
    back = sent_back(array, binary=False)

    finite = np.isfinite(array) if array.dtype.kind == "f" else np.ones(array.shape, bool)
    assert (datatype(back.dtype), back.shape) == (datatype(array.dtype), array.shape)
    np.testing.assert_array_equal(back[finite], array[finite])


def test_nan_is_null_in_json_and_read_as_nan() -> None:
    answer, length = render("m", "1", InferenceRequest({}), {"t": np.array([np.nan, 1.5])})

    assert length is None
    assert json.loads(answer)["outputs"][0]["data"] == [None, 1.5]
    assert np.isnan(sent_back(np.array([np.nan]), binary=False)).all()


def test_texts_dates_and_missing_values_are_bytes() -> None:
    dates = np.array(["2026-11-21", "NaT"], dtype="datetime64[D]")
    for array, data in [
        (np.array(["a", None, np.nan], dtype=object), ["a", None, None]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([1, "a"], dtype=object), ["1", "a"]),
        (dates, ["2026-11-21", "NaT"]),
    ]:
        (output,) = json.loads(render("m", "1", InferenceRequest({}), {"t": array})[0])["outputs"]
        assert (output["datatype"], output["data"]) == ("BYTES", data)


def test_nested_and_flat_data_are_read_alike() -> None:
    for data in ([1, 2, 3, 4], [[1, 2], [3, 4]]):
        tensor = {"name": "t", "datatype": "FP32", "shape": [2, 2], "data": data}
        read = parse(body(tensor)).tensors["t"]
        assert (read.tolist(), read.dtype) == ([[1, 2], [3, 4]], np.dtype("float32"))


def test_id_parameters_and_requested_outputs_are_read() -> None:
    asked = parse(
        body(
            INPUT,
            id="42",
            parameters={"binary_data_output": True, "times": 2},
            outputs=[{"name": "a", "parameters": {"binary_data": True}}, {"name": "b"}],
        )
    )

    assert (asked.id, asked.binary, asked.requested_outputs) == (
        "42",
        True,
        {"a": True, "b": False},
    )
    assert asked.parameters["times"] == 2


def test_response_names_the_model_and_repeats_the_id() -> None:
    outputs = {"a": np.array([1]), "b": np.array(["x"])}
    asked = InferenceRequest({}, id="42", requested_outputs={"b": False})

    assert json.loads(render("churn", "3", asked, outputs)[0]) == {
        "model_name": "churn",
        "model_version": "3",
        "id": "42",
        "outputs": [{"name": "b", "datatype": "BYTES", "shape": [1], "data": ["x"]}],
    }


def test_error_for_an_unknown_output_repeats_no_name_of_the_answer() -> None:
    asked = InferenceRequest({}, requested_outputs={"x": True})

    with pytest.raises(BadRequest, match="no output of a name that 'outputs' asks for") as refused:
        render("churn", "3", asked, {SECRET: np.array([1])})

    assert SECRET not in str(refused.value)


def test_error_response_has_the_form_of_the_protocol() -> None:
    assert json.loads(render_error("no")) == {"error": "no"}


BINARY = {"name": SECRET, "datatype": "INT64", "shape": [1], "parameters": {"binary_data_size": 8}}


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[]", "an object with 'inputs'"),
        (b'{"inputs": [{"name": "a"}]}', "an object with 'inputs'"),
        (body(INPUT, INPUT), "Two inputs have one name"),
        (body(INPUT | {"datatype": SECRET}), "The datatype of input 0 is none of: BOOL"),
        (body(INPUT | {"shape": [3]}), "does not hold as many values as its shape says"),
        (body(INPUT | {"shape": [-1]}), "The shape of input 0 is negative"),
        (body(INPUT | {"shape": [2] + [1] * 70}), "The shape of input 0 is too large"),
        (body(INPUT | {"shape": [0, 10**30], "data": []}), "The shape of input 0 is too large"),
        (body(INPUT | {"shape": [10**4200] * 2}), "The shape of input 0 is too large"),
        (body(INPUT | {"shape": [2**31, 0], "data": []}), "The shape of input 0 is too large"),
        (body(INPUT | {"data": SECRET}), "needs a list 'data', or binary data"),
        (body(INPUT | {"data": [1, SECRET]}), "a value that is not of its datatype"),
        (body(INPUT | {"data": [[1], [1, 2]]}), "a value that is not of its datatype"),
        (body(INPUT | {"data": [2**70, 1]}), "a value that is not of its datatype"),
        (body(INPUT | {"datatype": "BYTES", "data": ["a", 1]}), "not of its datatype"),
        (body(BINARY), "'binary_data_size' of input 0 is not within the body"),
        (body(BINARY | {"parameters": {"binary_data_size": SECRET}}), "is not within the body"),
        (body(BINARY | {"parameters": {"binary_data_size": -8}}), "is not within the body"),
    ],
)
def test_invalid_request_error_repeats_no_value(sent: bytes, says: str) -> None:
    with pytest.raises(BadRequest, match=says) as refused:
        parse(sent)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("tensor", "data", "says"),
    [
        (BINARY, b"1234567", "not within the body"),
        (BINARY, b"123456789", "more binary data than its inputs say"),
        (BINARY | {"shape": [2]}, b"12345678", "as many values as its shape says"),
        (BINARY | {"parameters": {"binary_data_size": 7}}, b"1234567", "not of its datatype"),
        (BINARY | {"datatype": "BYTES"}, b"\xff\xff\xff\xff1234", "not of its datatype"),
        (BINARY | {"datatype": "BYTES"}, b"\x04\0\0\0\xff\xfe\xff\xfe", "not of its datatype"),
    ],
)
def test_binary_data_of_wrong_size_or_type_is_rejected(
    tensor: dict[str, Any], data: bytes, says: str
) -> None:
    head = body(tensor)
    with pytest.raises(BadRequest, match=says):
        parse(head + data, str(len(head)))


@pytest.mark.parametrize("length", ["-1", "x", "100000", "1.5", "²", "9" * 5000])
def test_header_length_outside_the_body_is_rejected(length: str) -> None:
    with pytest.raises(BadRequest, match="no length within the body"):
        parse(body(INPUT), length)


@given(st.binary(), st.sampled_from(["", "0", "2", "7"]))
@example(b'{"inputs": []}xx', "14")
def test_any_bytes_are_tensors_or_bad_request(sent: bytes, length: str) -> None:
    try:
        assert isinstance(parse(sent, length), InferenceRequest)
    except BadRequest as refused:
        assert len(str(refused).splitlines()) == 1  # noqa: PT017


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("BOOL", "false"),
        ("BOOL", 2),
        ("BOOL", 1.0),
        ("BOOL", None),
        ("UINT8", 300),
        ("UINT8", -1),
        ("INT8", 128),
        ("INT64", 3.7),
        ("INT64", "3"),
        ("INT64", True),
        ("INT64", None),
        ("INT64", 2**63),
        ("UINT64", 2**64),
        ("FP16", 70_000),
        ("FP32", 1e300),
        ("FP64", "1.5"),
        ("FP64", False),
        ("FP64", 10**400),
        ("BYTES", 1),
        ("BYTES", {"a": 1}),
    ],
)
def test_value_that_its_datatype_does_not_hold_is_rejected(kind: str, value: Any) -> None:
    with pytest.raises(BadRequest, match="not of its datatype"):
        parse(body({"name": "t", "datatype": kind, "shape": [1], "data": [value]}))


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("BOOL", True, True),
        ("BOOL", 0, False),
        ("INT64", 3.0, 3),
        ("INT64", -(2**63), -(2**63)),
        ("UINT64", 2**64 - 1, 2**64 - 1),
        ("FP32", float("inf"), float("inf")),
        ("FP64", 3, 3.0),
        ("BYTES", None, None),
    ],
)
def test_value_that_its_datatype_holds_is_read(kind: str, value: Any, read: Any) -> None:
    tensor = {"name": "t", "datatype": kind, "shape": [1], "data": [value]}

    assert parse(body(tensor)).tensors["t"].tolist() == [read]


def test_binary_truth_other_than_zero_and_one_is_rejected() -> None:
    tensor = {"name": "t", "datatype": "BOOL", "shape": [2], "parameters": {"binary_data_size": 2}}
    head = body(tensor)

    assert parse(head + b"\1\0", str(len(head))).tensors["t"].tolist() == [True, False]
    with pytest.raises(BadRequest, match="not of its datatype"):
        parse(head + b"\2\0", str(len(head)))


@pytest.mark.parametrize(
    ("parameters", "seconds"),
    [({"timeout": 1_500_000}, 1.5), ({"timeout": 0}, None), ({}, None)],
)
def test_tritons_timeout_is_read_in_seconds(
    parameters: dict[str, Any], seconds: float | None
) -> None:
    assert parse(body(INPUT, parameters=parameters)).timeout_seconds == seconds


@pytest.mark.parametrize("timeout", [-1, 1.5, "1", True, None, 2**64])
def test_timeout_that_is_no_number_of_microseconds_is_rejected(timeout: Any) -> None:
    with pytest.raises(BadRequest, match="whole number of microseconds"):
        parse(body(INPUT, parameters={"timeout": timeout}))

"""Tensors become what a model takes, and predictions become tensors."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import Model
from mlflow.models.signature import ModelSignature, infer_signature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

from terna.contracts.open_inference import InferenceRequest
from terna.errors import BadRequest, InternalError
from terna.predictor.tensors import OUTPUT, describe_inputs, inputs, outputs, table

NUMBERS = Schema([ColSpec(DataType.double, "x"), ColSpec(DataType.float, "y", required=False)])
UNNAMED = Schema([TensorSpec(np.dtype("float64"), (-1, 2))])
NAMED = Schema(
    [
        TensorSpec(np.dtype("float32"), (-1, 2), "points"),
        TensorSpec(np.dtype("int64"), (-1,), "weight"),
    ]
)
TWO = np.array([[1, 2], [3, 4]])


def read(schema: Schema | None, params: ParamSchema | None = None, **tensors: Any) -> Any:
    request = InferenceRequest(tensors, parameters={"times": 2, "binary_data_output": True})
    signature = ModelSignature(schema, params=params) if schema else None  # type: ignore[arg-type]
    return inputs(request, table(request, schema), Model(signature=signature))


def test_one_tensor_with_all_columns_is_accepted() -> None:
    frame = read(NUMBERS, anything=TWO).data

    assert frame.to_dict("list") == {"x": [1, 3], "y": [2, 4]}
    assert [str(dtype) for dtype in frame.dtypes] == ["float64", "float32"]


def test_optional_column_may_be_left_out() -> None:
    assert read(NUMBERS, x=np.array([1.5])).data.to_dict("list") == {"x": [1.5]}


def test_unnamed_tensor_of_any_width_is_cast_to_the_schema() -> None:
    array = read(UNNAMED, anything=TWO.astype("int8")).data

    assert (array.tolist(), array.dtype) == (TWO.tolist(), np.dtype("float64"))


def test_columns_named_by_numbers_are_one_tensor() -> None:
    numbered = infer_signature(pd.DataFrame(TWO)).inputs

    assert read(numbered, anything=TWO).data is TWO


def test_named_tensors_are_passed_by_name() -> None:
    arrays = read(NAMED, weight=np.array([1, 2]), points=TWO).data

    assert {name: array.dtype.name for name, array in arrays.items()} == {
        "weight": "int64",
        "points": "float32",
    }


def test_missing_and_extra_tensors_are_rejected() -> None:
    with pytest.raises(BadRequest, match="Missing tensors: weight"):
        read(NAMED, points=TWO)
    with pytest.raises(BadRequest, match="takes one tensor"):
        read(UNNAMED, a=TWO, b=TWO)


def test_model_without_schema_gets_tensors_as_sent() -> None:
    assert read(None, a=TWO).data is TWO
    assert set(read(None, a=TWO, b=TWO).data) == {"a", "b"}


def test_parameters_unknown_to_the_model_are_dropped() -> None:
    schema = ParamSchema([ParamSpec("times", DataType.long, 1)])
    assert read(NUMBERS, schema, x=np.array([1.5])).params == {"times": 2}


@pytest.mark.parametrize(
    ("predictions", "named"),
    [
        (["yes", "no"], {OUTPUT: ["yes", "no"]}),
        (np.array([[0.25, 0.75]]), {OUTPUT: [[0.25, 0.75]]}),
        (pd.Series([1, 2], name="n"), {OUTPUT: [1, 2]}),
        (pd.DataFrame({"a": [1], "b": ["x"]}), {"a": [1], "b": ["x"]}),
        ({"a": np.array([1]), "b": 2.5}, {"a": [1], "b": [2.5]}),
        (np.float64(2), {OUTPUT: [2]}),
    ],
)
def test_predictions_of_any_type_become_named_tensors(
    predictions: Any, named: dict[str, Any]
) -> None:
    assert {name: array.tolist() for name, array in outputs(predictions, None).items()} == named


@pytest.mark.parametrize("predictions", [[[1], [1, 2]], np.array([1j])])
def test_predictions_that_no_tensor_holds_raise_internal_error(predictions: Any) -> None:
    with pytest.raises(InternalError, match="no tensor"):
        outputs(predictions, None)


def test_output_has_name_and_width_of_the_schema() -> None:
    schema = Schema([ColSpec(DataType.float, "share")])

    (named,) = outputs([0.5], schema).items()

    assert (named[0], named[1].dtype.name) == ("share", "float32")


@pytest.mark.parametrize(
    ("schema", "predictions", "described"),
    [
        (Schema([ColSpec(DataType.string, "label")]), [], {"label": ("O", (0,))}),
        (Schema([ColSpec(DataType.long)]), [], {OUTPUT: ("int64", (0,))}),
        (Schema([TensorSpec(np.dtype("float32"), (-1, 3), "p")]), [], {"p": ("float32", (0, 3))}),
        (Schema([ColSpec(DataType.double)]), [1, 2], {OUTPUT: ("float64", (2,))}),
        (Schema([ColSpec(DataType.long)]), [1.0, 2.0], {OUTPUT: ("int64", (2,))}),
        (Schema([ColSpec(DataType.long)]), [1.5, 2.0], {OUTPUT: ("float64", (2,))}),
        (Schema([ColSpec(DataType.boolean)]), [1, 0], {OUTPUT: ("bool", (2,))}),
        (Schema([ColSpec(DataType.string)]), [1, 0], {OUTPUT: ("O", (2,))}),
        (NUMBERS, np.array([[1, 2]]), {"x": ("float64", (1,)), "y": ("float32", (1,))}),
        (NUMBERS, [], {"x": ("float64", (0,)), "y": ("float32", (0,))}),
        (NUMBERS, pd.DataFrame({"y": [1]}), {"y": ("float32", (1,))}),
    ],
)
def test_outputs_have_names_and_types_of_the_schema(
    schema: Schema, predictions: Any, described: dict[str, tuple[str, tuple[int, ...]]]
) -> None:
    found = outputs(predictions, schema)

    assert found.keys() == described.keys()
    for name, (dtype, shape) in described.items():
        assert (found[name].dtype, found[name].shape) == (np.dtype(dtype), shape)


def test_list_of_records_becomes_a_tensor_a_name() -> None:
    records = [{"label": "a", "share": 0.5, "all": [1, 2]}, {"label": "b", "all": [3, 4]}]

    found = outputs(records, None)

    assert found["label"].tolist() == ["a", "b"]
    assert found["share"][0] == 0.5
    assert np.isnan(found["share"][1])
    assert found["all"].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("int64", 3.7), ("int64", np.nan), ("uint8", 300), ("float32", 1e300), ("float64", "1.5")],
)
def test_tensor_value_that_the_schemas_type_does_not_hold_is_rejected(
    dtype: str, value: Any
) -> None:
    array = np.array([value], object if isinstance(value, str) else None)

    with pytest.raises(BadRequest, match="The model takes a tensor of"):
        read(Schema([TensorSpec(np.dtype(dtype), (-1,))]), a=array)


def test_inputs_are_described_as_in_the_schema() -> None:
    assert describe_inputs(NUMBERS) == [
        {"name": "x", "datatype": "FP64", "shape": [-1, 1]},
        {"name": "y", "datatype": "FP32", "shape": [-1, 1]},
    ]
    assert describe_inputs(NAMED)[0] == {"name": "points", "datatype": "FP32", "shape": [-1, 2]}
    assert describe_inputs(UNNAMED)[0]["name"] == "input-0"
    assert describe_inputs(None) == []

"""ONNX: one graph of all columns, one of an input a column, and one of images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlflow.onnx
import numpy as np
import onnx
from mlflow.types import Schema, TensorSpec
from onnx import TensorProto, helper, numpy_helper

from tests.integration.differential.models.model import Model, columns, options
from tests.integration.differential.models.tables import SAMPLE, numbers

TABLE = numbers().astype("float32")
PAIR = numbers()[["income", "age"]]
FLOAT = TensorProto.FLOAT
IMAGE = (3, 4, 4)
"""Channels, height and width."""


def graph(folder: Path) -> None:
    """A weighted sum of the columns, and its logistic function."""
    weights = np.linspace(-1e-4, 1e-5, TABLE.shape[1], dtype="float32").reshape(-1, 1)
    model = _model(
        [
            helper.make_node("MatMul", ["features", "weights"], ["sum"]),
            helper.make_node("Sigmoid", ["sum"], ["probability"]),
        ],
        [_value("features", FLOAT, TABLE.shape[1])],
        [_value("sum", FLOAT, 1), _value("probability", FLOAT, 1)],
        [numpy_helper.from_array(weights, "weights")],
    )
    mlflow.onnx.save_model(model, **options(folder, columns(TABLE)))


def graph_of_columns(folder: Path) -> None:
    """Two inputs of one column each, and of another type."""
    model = _model(
        [
            helper.make_node("Cast", ["age"], ["years"], to=FLOAT),
            helper.make_node("Div", ["income", "years"], ["share"]),
        ],
        [_value("income", FLOAT), _value("age", TensorProto.INT64)],
        [_value("share", FLOAT)],
    )
    mlflow.onnx.save_model(model, **options(folder, columns(PAIR)))


def graph_of_images(folder: Path) -> None:
    """The mean of each channel of images, as tensors of rank 4."""
    model = _model(
        [helper.make_node("GlobalAveragePool", ["image"], ["mean"])],
        [_value("image", FLOAT, *IMAGE)],
        [_value("mean", FLOAT, IMAGE[0], 1, 1)],
    )
    schema = Schema([TensorSpec(np.dtype("float32"), (-1, *IMAGE), "image")])
    mlflow.onnx.save_model(model, **options(folder, schema))


def _value(name: str, kind: int, *shape: int) -> Any:
    return helper.make_tensor_value_info(name, kind, ["rows", *shape])


def _model(
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    constants: Sequence[Any] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=10)


MODELS = {
    "graph": Model(graph, TABLE[:SAMPLE]),
    "graph_of_columns": Model(graph_of_columns, PAIR[:SAMPLE]),
    "graph_of_images": Model(graph_of_images),
}

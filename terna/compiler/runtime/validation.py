"""Checks that the parts of a plan fit each other, so that no row is read beyond an array's end.

The traversal of trees is native code and checks nothing: it relies on what is checked here.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir.nodes import NODE, Nodes, unpack
from terna.compiler.ir.plan import (
    TREES_PER_GROUP,
    Argmax,
    Calibrator,
    Column,
    Linear,
    Lookup,
    Number,
    Output,
    Plan,
    Postprocessor,
    Step,
    Threshold,
    Trees,
)
from terna.compiler.runtime.postprocessing import POSTPROCESSORS
from terna.compiler.runtime.preprocessing import OPERATIONS
from terna.compiler.runtime.row_parsing import TYPES

NEUTRAL = {"add": 0.0, "subtract": 0.0, "multiply": 1.0, "divide": 1.0, "to_float32": 0.0}
"""The operand with which an operation leaves the zero at a row's end as it is; `fill`'s is NaN."""
LABELS = (str, int, float, bool)
MAX_SLOTS = 1 << 24


def validate(plan: Plan) -> None:
    """Check everything that the runtime relies on.

    Raises:
        ValueError: with the part that is wrong.
    """
    for column in plan.columns:
        _check_column(column)
    slots = 1 + sum(column.slots for column in plan.columns)
    _check("slots", slots <= MAX_SLOTS)
    for step in plan.steps:
        _check_step(step, slots)
    engine = plan.engine
    _check_linear(engine, slots) if isinstance(engine, Linear) else _check_trees(engine, slots)
    sums = len(engine.intercepts if isinstance(engine, Linear) else engine.base_scores)
    _check_postprocessor(plan.postprocessor, sums)
    _check_output(plan.output, plan.postprocessor.classes or sums)


def _check(part: str, fits: object) -> None:
    if not fits:
        raise ValueError(f"the {part} of the compiled model do not fit")


def _check_column(column: Column) -> None:
    _check("columns", column.data_type in TYPES)
    cells = column.cells
    if isinstance(cells, Number):
        _check("columns", column.data_type != "string" and len(cells.missing) == column.slots)
    else:
        _check_lookup(cells, column)


def _check_lookup(lookup: Lookup, column: Column) -> None:
    types, others = TYPES[column.data_type], (lookup.unknown, lookup.missing, lookup.all_missing)
    codes = [code for _, code in lookup.known] + [code for code in others if code is not None]
    _check("categories", {type(cell) for cell, _ in lookup.known} <= {*types})
    _check("categories", all(len(code) == column.slots for code in codes))


def _check_step(step: Step, slots: int) -> None:
    _check("steps", step.operation in OPERATIONS)
    operand = _numbers(step.operand, "<f8")
    _check("steps", len(operand) == slots)
    neutral = NEUTRAL.get(step.operation)
    _check("steps", math.isnan(operand[-1]) if neutral is None else operand[-1] == neutral)


def _check_linear(linear: Linear, slots: int) -> None:
    order = _numbers(linear.slots, "<i8")
    coefficients = _numbers(linear.coefficients, "<f8")
    _check("coefficients", linear.intercepts and _within(order, 0, slots - 1))
    _check("coefficients", len(coefficients) == len(order) * len(linear.intercepts))


def _check_trees(trees: Trees, slots: int) -> None:
    width, sums = trees.leaf_width, len(trees.base_scores)
    _check("leaves", 0 < width <= sums and len(trees.leaf_values) % (8 * width) == 0)
    _check("leaves", _all_finite(_numbers(trees.leaf_values, "<f8")))
    _check("base scores", all(map(math.isfinite, trees.base_scores)))
    _check("nodes", len(trees.nodes) % NODE[trees.cells_in_float32].itemsize == 0)
    nodes = unpack(trees.nodes, trees.cells_in_float32, slots - 1)
    _check_nodes(nodes, slots, len(trees.leaf_values) // (8 * width))
    roots, targets = _numbers(trees.roots, "<i4"), _numbers(trees.targets, "<i4")
    _check("roots", 0 < len(roots) == len(targets) and len(roots) % TREES_PER_GROUP == 0)
    _check("roots", _within(roots, 0, len(nodes.left) - 1) and _within(targets, 0, sums - width))


def _check_nodes(nodes: Nodes, slots: int, leaves: int) -> None:
    """Check that every way ends at a leaf: children come after their parents."""
    at = np.arange(len(nodes.left))
    inner = nodes.left > at
    _check("nodes", len(at) and _within(nodes.slot, 0, slots - 1))
    _check("nodes", _within(nodes.left[inner], 0, len(at) - 2))
    _check("nodes", not np.isnan(nodes.threshold[inner]).any())
    _check("nodes", (nodes.slot[~inner] == slots - 1).all())
    _check("leaves", _within(nodes.leaf[~inner], 0, leaves - 1))


def _check_postprocessor(postprocessor: Postprocessor, sums: int) -> None:
    calibrators, classes = postprocessor.calibrators, postprocessor.classes
    calibrates = postprocessor.name == "calibrated"
    _check("postprocessor", postprocessor.name in POSTPROCESSORS)
    _check("postprocessor", math.isfinite(postprocessor.scale) and postprocessor.scale != 0)
    _check("postprocessor", calibrates == bool(calibrators) == (classes > 1))
    _check("postprocessor", not calibrates or len(calibrators) % (classes - (classes == 2)) == 0)
    for calibrator in calibrators:
        _check_calibrator(calibrator, sums)


def _check_calibrator(calibrator: Calibrator, sums: int) -> None:
    _check("calibrators", 0 <= calibrator.sum_index < sums)
    x, y = _numbers(calibrator.x, "<f8"), _numbers(calibrator.y, "<f8")
    _check("calibrators", len(x) == len(y) and _all_finite(x) and _all_finite(y))
    if calibrator.slope is None:
        _check("calibrators", len(x) and (x[1:] >= x[:-1]).all())
    else:
        _check("calibrators", math.isfinite(calibrator.slope + calibrator.offset))


def _check_output(output: Output, width: int) -> None:
    if isinstance(output, Threshold):
        _check(
            "labels", 0 <= output.sum_index < width and _are_labels((output.below, output.above))
        )
    elif isinstance(output, Argmax):
        _check("labels", len(output.labels) == width and _are_labels(output.labels))
        _check("labels", math.isfinite(output.divisor) and output.divisor != 0)


def _are_labels(labels: Iterable[Any]) -> bool:
    return all(type(label) in LABELS for label in labels)


def _numbers(content: bytes, data_type: str) -> NDArray[Any]:
    """Return the numbers; numpy raises ValueError where the last one is incomplete."""
    return np.frombuffer(content, data_type)


def _all_finite(numbers: NDArray[Any]) -> bool:
    return bool(np.isfinite(numbers).all())


def _within(numbers: NDArray[Any], low: int, high: int) -> bool:
    return bool(((low <= numbers) & (numbers <= high)).all())

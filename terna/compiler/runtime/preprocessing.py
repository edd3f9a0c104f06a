"""Changes the slots of every row before the model gets them: imputes and scales."""

from array import array
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir.plan import Step

Array = NDArray[np.float64]


def step_function(step: Step, slots: int) -> Callable[["array[float]"], "array[float]"]:
    """Return the function that applies a step, in place, to rows of so many slots.

    Raises:
        ValueError: the step has another number of slots.
    """
    operand = np.frombuffer(step.operand, "<f8")
    if len(operand) != slots:
        raise ValueError("the step is not of these slots")
    operation = OPERATIONS[step.operation]

    def apply(cells: "array[float]") -> "array[float]":
        operation(np.frombuffer(cells).reshape(-1, slots), operand)
        return cells

    return apply


def _fill(rows: Array, operand: Array) -> None:
    np.copyto(rows, operand, where=~np.isfinite(rows) & np.isfinite(operand))


def _to_float32(rows: Array, operand: Array) -> None:
    np.copyto(rows, rows.astype(np.float32), where=operand != 0)


OPERATIONS: Mapping[str, Callable[[Array, Array], object]] = {
    "fill": _fill,
    "to_float32": _to_float32,
    "add": lambda rows, operand: np.add(rows, operand, out=rows),
    "subtract": lambda rows, operand: np.subtract(rows, operand, out=rows),
    "multiply": lambda rows, operand: np.multiply(rows, operand, out=rows),
    "divide": lambda rows, operand: np.divide(rows, operand, out=rows),
}
"""Each changes rows of shape (rows, slots) by an operand of shape (slots,), in place."""

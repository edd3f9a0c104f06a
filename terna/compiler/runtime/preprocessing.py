"""What is done to the slots of every row before the model: scaling and filling, mostly."""

from array import array
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir.plan import Step

Array = NDArray[np.float64]


def stepping(step: Step, width: int) -> Callable[["array[float]"], "array[float]"]:
    operand = np.frombuffer(step.operand, "<f8")
    if len(operand) != width:
        raise ValueError("the step is not of these slots")
    change = STEPS[step.name]

    def stepped(cells: "array[float]") -> "array[float]":
        change(np.frombuffer(cells).reshape(-1, width), operand)
        return cells

    return stepped


def _fill(rows: Array, operand: Array) -> None:
    np.copyto(rows, operand, where=~np.isfinite(rows) & np.isfinite(operand))


def _narrow(rows: Array, operand: Array) -> None:
    np.copyto(rows, rows.astype(np.float32), where=operand != 0)


STEPS: Mapping[str, Callable[[Array, Array], object]] = {
    "fill": _fill,
    "narrow": _narrow,
    "add": lambda rows, operand: np.add(rows, operand, out=rows),
    "subtract": lambda rows, operand: np.subtract(rows, operand, out=rows),
    "multiply": lambda rows, operand: np.multiply(rows, operand, out=rows),
    "divide": lambda rows, operand: np.divide(rows, operand, out=rows),
}

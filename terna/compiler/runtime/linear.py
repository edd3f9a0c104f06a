"""Linear models at work."""

from array import array

import numpy as np

from terna.compiler.ir.plan import Linear


class Weigher:
    """The weights of one program.

    It multiplies as the original does, matrix by matrix, so that rounding is the same too.
    """

    def __init__(self, linear: Linear, slots: int) -> None:
        """Raises ValueError: the weights are not those of so many slots."""
        self.outputs = len(linear.intercepts)
        self._slots = slots
        self._order = np.frombuffer(linear.order, "<i8")
        self._weights = np.frombuffer(linear.weights, "<f8").reshape(-1, self.outputs)
        self._intercepts = np.array(linear.intercepts)
        if len(self._order) != len(self._weights) or not (self._order < slots).all():
            raise ValueError("the weights are not of these slots")

    def sums(self, cells: "array[float]") -> "array[float]":
        """Each row's outputs one after another; `cells` holds its slots."""
        rows = np.frombuffer(cells).reshape(-1, self._slots)[:, self._order]
        return array("d", (rows @ self._weights + self._intercepts).tobytes())

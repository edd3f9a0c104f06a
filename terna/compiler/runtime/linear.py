"""Computes linear models."""

from array import array

import numpy as np

from terna.compiler.ir.plan import Linear


class LinearModel:
    """The coefficients of one compiled model.

    It multiplies as the pyfunc model does, matrix by matrix, so that rounding is the same too.
    """

    def __init__(self, linear: Linear, slots: int) -> None:
        """Check the coefficients; raise ValueError where they are not of so many slots."""
        self.sums_per_row = len(linear.intercepts)
        self._slots = slots
        self._order = np.frombuffer(linear.slots, "<i8")
        self._coefficients = np.frombuffer(linear.coefficients, "<f8").reshape(
            -1, self.sums_per_row
        )
        self._intercepts = np.array(linear.intercepts)
        if len(self._order) != len(self._coefficients) or not (self._order < slots).all():
            raise ValueError("the coefficients are not of these slots")

    def sums(self, cells: "array[float]") -> "array[float]":
        """Return each row's sums one after another; `cells` holds each row's slots."""
        rows = np.frombuffer(cells).reshape(-1, self._slots)[:, self._order]
        return array("d", (rows @ self._coefficients + self._intercepts).tobytes())

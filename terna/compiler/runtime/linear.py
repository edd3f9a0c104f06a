"""Computes linear models, with the pyfunc model's order of additions."""

from array import array
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir.plan import Linear

Array = NDArray[Any]
TERMS = 2**18
"""How many terms are in memory at a time."""


class LinearModel:
    """The coefficients of one compiled model."""

    def __init__(self, linear: Linear, slots: int) -> None:
        """Check the coefficients; raise ValueError where they are not of so many slots."""
        self.sums_per_row = len(linear.intercepts)
        self._slots = slots
        self._order = np.frombuffer(linear.slots, "<i8")
        coefficients = np.frombuffer(linear.coefficients, "<f8").reshape(self.sums_per_row, -1)
        self._intercepts = np.array(linear.intercepts)
        if len(self._order) != coefficients.shape[1] or not (self._order < slots).all():
            raise ValueError("the coefficients are not of these slots")
        if linear.layout not in PRODUCTS or linear.coefficient_order not in ("C", "F"):
            raise ValueError("the coefficients lie in memory in an unknown way")
        self._product = PRODUCTS[linear.layout]
        parts = coefficients.reshape(linear.products, -1, len(self._order))
        self._parts = [np.array(part.T, order=linear.coefficient_order) for part in parts]  # type: ignore[call-overload]

    def sums(self, cells: "array[float]") -> "array[float]":
        """Return each row's sums one after another; `cells` holds each row's slots."""
        rows = np.frombuffer(cells).reshape(-1, self._slots)[:, self._order]
        products = [self._product(rows, part) for part in self._parts]
        product = products[0] if len(products) == 1 else np.hstack(products)
        return array("d", (product + self._intercepts).tobytes())


def _term_by_term(rows: Array, coefficients: Array) -> Array:
    """Return what SciPy makes of a sparse matrix: it adds up one term after another."""
    count = max(1, TERMS // max(1, coefficients.size))
    parts = [
        np.cumsum(rows[first : first + count, :, None] * coefficients, axis=1)[:, -1]
        for first in range(0, len(rows), count)
    ]
    return np.concatenate(parts)


PRODUCTS: Mapping[str, Callable[[Array, Array], Array]] = {
    "columns": lambda rows, coefficients: np.asfortranarray(rows) @ coefficients,
    "rows": lambda rows, coefficients: np.ascontiguousarray(rows) @ coefficients,
    "sparse": _term_by_term,
}
"""By `Linear.layout`: rows of shape (rows, features) → (rows, sums). BLAS adds up in another order
where the cells of a column, and not those of a row, lie side by side."""

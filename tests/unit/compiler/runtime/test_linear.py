"""Linear models add up the slots in the order of their coefficients."""

from array import array

import msgspec
import numpy as np
import pytest

from terna.compiler.ir.plan import Linear
from terna.compiler.runtime.linear import LinearModel

LINEAR = Linear(
    slots=np.array([1, 0], "<i8").tobytes(),
    coefficients=np.array([[1.0, 10.0], [2.0, 20.0]], "<f8").tobytes(),
    intercepts=(0.5, 0.25),
)


def test_each_row_has_its_sums_one_after_another() -> None:
    cells = array("d", [3.0, 4.0, 0.0, 5.0, 6.0, 0.0])

    sums = LinearModel(LINEAR, slots=3).sums(cells)

    assert list(sums) == [10.5, 100.25, 16.5, 160.25]


@pytest.mark.parametrize("slots", [[0], [0, 3], [0, 1, 2]])
def test_coefficients_of_other_slots_are_refused(slots: list[int]) -> None:
    other = msgspec.structs.replace(LINEAR, slots=np.array(slots, "<i8").tobytes())

    with pytest.raises(ValueError, match="not of these slots"):
        LinearModel(other, slots=3)

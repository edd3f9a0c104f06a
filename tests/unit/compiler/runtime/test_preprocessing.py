"""Each step changes the slots that it is meant for."""

from array import array

import numpy as np
import pytest

from terna.compiler.ir.plan import Step
from terna.compiler.runtime.preprocessing import step_function


@pytest.mark.parametrize(
    ("operation", "operand", "expected"),
    [
        ("fill", [7.0, 7.0, np.nan], [1.1, 7.0, np.nan]),
        ("to_float32", [1.0, 0.0, 0.0], [float(np.float32(1.1)), np.nan, np.nan]),
        ("add", [1.0, 1.0, 0.0], [2.1, np.nan, np.nan]),
        ("subtract", [0.5, 1.0, 0.0], [0.6000000000000001, np.nan, np.nan]),
        ("multiply", [2.0, 1.0, 1.0], [2.2, np.nan, np.nan]),
        ("divide", [2.0, 1.0, 1.0], [0.55, np.nan, np.nan]),
    ],
)
def test_step_changes_each_row(operation: str, operand: list[float], expected: list[float]) -> None:
    step = Step(operation, np.array(operand, "<f8").tobytes())
    rows = array("d", [1.1, np.nan, np.nan] * 2)

    changed = step_function(step, slots=3)(rows)

    np.testing.assert_array_equal(np.frombuffer(changed), expected * 2)


def test_step_of_another_number_of_slots_is_refused() -> None:
    with pytest.raises(ValueError, match="not of these slots"):
        step_function(Step("add", np.zeros(2).tobytes()), slots=3)

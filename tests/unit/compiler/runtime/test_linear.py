"""Linear models add up the slots in the order of their coefficients."""

from array import array

import msgspec
import numpy as np
import pytest
from scipy.sparse import csr_array

from terna.compiler.ir.plan import Linear
from terna.compiler.runtime.linear import PRODUCTS, LinearModel

LINEAR = Linear(
    slots=np.array([1, 0], "<i8").tobytes(),
    coefficients=np.array([[1.0, 2.0], [10.0, 20.0]], "<f8").tobytes(),
    intercepts=(0.5, 0.25),
)


@pytest.mark.parametrize("layout", PRODUCTS)
@pytest.mark.parametrize("products", [1, 2])
def test_each_row_has_its_sums_one_after_another(layout: str, products: int) -> None:
    cells = array("d", [3.0, 4.0, 0.0, 5.0, 6.0, 0.0])
    linear = msgspec.structs.replace(LINEAR, layout=layout, products=products)

    sums = LinearModel(linear, slots=3).sums(cells)

    assert list(sums) == [10.5, 100.25, 16.5, 160.25]


@pytest.mark.parametrize("slots", [[0], [0, 3], [0, 1, 2]])
def test_coefficients_of_other_slots_are_refused(slots: list[int]) -> None:
    other = msgspec.structs.replace(LINEAR, slots=np.array(slots, "<i8").tobytes())

    with pytest.raises(ValueError, match="not of these slots"):
        LinearModel(other, slots=3)


@pytest.mark.parametrize("change", [{"layout": "diagonal"}, {"coefficient_order": "K"}])
def test_unknown_memory_layout_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="unknown way"):
        LinearModel(msgspec.structs.replace(LINEAR, **change), slots=3)


@pytest.mark.parametrize("count", [1, 7, 3000])
def test_sparse_layout_adds_up_as_scipy_does(count: int) -> None:
    random = np.random.default_rng(0)
    rows, coefficients = random.normal(size=(count, 30)), random.normal(size=(30, 4))
    linear = Linear(
        slots=np.arange(30, dtype="<i8").tobytes(),
        coefficients=coefficients.T.tobytes(),
        intercepts=(0.0,) * 4,
        layout="sparse",
    )

    sums = LinearModel(linear, slots=30).sums(array("d", rows.tobytes()))

    assert list(sums) == (csr_array(rows) @ coefficients).ravel().tolist()

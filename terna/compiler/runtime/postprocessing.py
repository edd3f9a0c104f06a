"""From a compiled model's sums to what the pyfunc model predicts, to the last bit.

So each step is done in the order, the precision and with the exponential of the original.
"""

from array import array
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir.plan import (
    Argmax,
    Calibrator,
    Plan,
    Postprocessor,
    Probabilities,
    Threshold,
    Value,
)

Array = NDArray[Any]
OutputFunction = Callable[["array[float]"], list[Any]]

XGBOOSTS_LARGEST = np.float32(88.7)
"""XGBoost's sigmoid takes no exponential of more than this."""


def output_function(plan: Plan, sums_per_row: int) -> OutputFunction:
    """Return the function that turns the sums of n rows into n predictions."""
    output, postprocessor = plan.output, plan.postprocessor
    if isinstance(output, Value):
        return lambda sums: postprocess(sums, postprocessor, sums_per_row)[:, 0].tolist()
    if isinstance(output, Probabilities):
        return lambda sums: scores(sums, plan, sums_per_row).tolist()
    if not postprocessor.calibrators:
        return _label_function(output, sums_per_row)
    label = _label_function(output, postprocessor.classes)
    return lambda sums: label(array("d", postprocess(sums, postprocessor, sums_per_row).tobytes()))


def scores(sums: "array[float]", plan: Plan, sums_per_row: int) -> Array:
    """Return probabilities, shape (rows, classes), or a regression's values, shape (rows, 1)."""
    processed = postprocess(sums, plan.postprocessor, sums_per_row)
    if plan.classes is None or processed.shape[1] == len(plan.classes):
        return processed
    return np.column_stack([1 - processed, processed])


def postprocess(sums: "array[float]", postprocessor: Postprocessor, sums_per_row: int) -> Array:
    """Apply a postprocessor: shape (rows, sums_per_row), or (rows, classes) if it calibrates."""
    rows = np.frombuffer(sums).reshape(-1, sums_per_row)
    with np.errstate(over="ignore"):
        return POSTPROCESSORS[postprocessor.name](
            rows.astype(np.float32) if postprocessor.in_float32 else rows, postprocessor
        )


def _label_function(output: Threshold | Argmax, width: int) -> OutputFunction:
    return _threshold(output, width) if isinstance(output, Threshold) else _argmax(output, width)


def _threshold(output: Threshold, width: int) -> OutputFunction:
    bound, below, above, index = output.bound, output.below, output.above, output.sum_index
    return lambda sums: [above if total >= bound else below for total in sums[index::width]]


def _argmax(output: Argmax, width: int) -> OutputFunction:
    labels, divisor = output.labels, output.divisor

    def label(sums: "array[float]") -> list[Any]:
        totals = [total / divisor for total in sums] if divisor != 1 else sums.tolist()
        rows = (totals[first : first + width] for first in range(0, len(totals), width))
        return [labels[row.index(max(row))] for row in rows]

    return label


def _sigmoid(sums: Array, postprocessor: Postprocessor) -> Array:
    """Return what scipy's `expit`, LightGBM and XGBoost do."""
    one, negative = sums.dtype.type(1), -_scaled(sums, postprocessor)
    if postprocessor.in_float32:
        negative = np.minimum(negative, XGBOOSTS_LARGEST)
    return np.asarray(one / (one + _exp(negative)))


def _softmax(sums: Array, postprocessor: Postprocessor) -> Array:
    """Return what LightGBM and XGBoost do: both add up in doubles, class by class."""
    powers = _exp(_scaled(sums - sums.max(axis=1, keepdims=True), postprocessor))
    total = np.cumsum(powers, axis=1, dtype=np.float64)[:, -1:]
    return np.asarray(powers / total.astype(powers.dtype))


def _numpy_softmax(sums: Array, order: Literal["C", "F"]) -> Array:
    """Return what scikit-learn does; NumPy adds up columns in another order than rows."""
    powers = np.array(sums, order=order)
    powers -= powers.max(axis=1).reshape(-1, 1)
    np.exp(powers, out=powers)
    powers /= powers.sum(axis=1).reshape(-1, 1)
    return powers


def _exp(numbers: Array) -> Array:
    """Return the C library's exponential, which can differ from NumPy's own in the last bit.

    NumPy has vectorized loops of its own for real numbers only: complex ones it gives to the C
    library, whose result for a number without an imaginary part is that of `exp` or `expf`.
    """
    complexes = numbers.astype(np.complex64 if numbers.dtype == np.float32 else np.complex128)
    return np.asarray(np.exp(complexes).real)


def _scaled(sums: Array, postprocessor: Postprocessor) -> Array:
    return sums if postprocessor.scale == 1 else postprocessor.scale * sums


def _calibrated(sums: Array, postprocessor: Postprocessor) -> Array:
    """Return the mean of all folds' probabilities, normalized as scikit-learn does."""
    classes = postprocessor.classes
    columns = [
        _calibrate(sums[:, c.sum_index] / postprocessor.scale, c) for c in postprocessor.calibrators
    ]
    folds = np.column_stack(columns).reshape(len(sums), -1, classes - (classes == 2))
    total = np.zeros((len(sums), classes))
    for probabilities in folds.swapaxes(0, 1):
        total += _normalized(probabilities)
    return np.asarray(total / folds.shape[1])


def _calibrate(score: Array, calibrator: Calibrator) -> Array:
    if calibrator.slope is not None:
        return np.asarray(1 / (1 + _exp(calibrator.slope * score + calibrator.offset)))
    x, y = (np.frombuffer(points, "<f8") for points in (calibrator.x, calibrator.y))
    return np.asarray(np.interp(score, x, y))


def _normalized(probabilities: Array) -> Array:
    """Return one column a class that add up to 1; of a single column, both classes."""
    if probabilities.shape[1] == 1:
        return np.column_stack([1 - probabilities, probabilities])
    total = probabilities.sum(axis=1, keepdims=True)
    uniform = np.full_like(probabilities, 1 / probabilities.shape[1])
    return np.asarray(np.divide(probabilities, total, out=uniform, where=total != 0))


POSTPROCESSORS: Mapping[str, Callable[[Array, Postprocessor], Array]] = {
    "mean": lambda sums, postprocessor: sums / postprocessor.scale,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "numpy_softmax": lambda sums, _: _numpy_softmax(sums, "C"),
    "numpy_softmax_by_columns": lambda sums, _: _numpy_softmax(sums, "F"),
    "exponential": lambda sums, postprocessor: _exp(_scaled(sums, postprocessor)),
    "numpy_exponential": lambda sums, _: np.asarray(np.exp(sums)),
    "identity": _scaled,
    "calibrated": _calibrated,
}
"""By `Postprocessor.name`."""

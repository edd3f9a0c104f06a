"""From a compiled model's sums to what the pyfunc model predicts."""

from array import array
from collections.abc import Callable, Mapping
from typing import Any

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
    if sums_per_row > 1 or isinstance(plan.output, Value) or plan.postprocessor.calibrators:
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
    one = sums.dtype.type(1)
    return np.asarray(one / (one + np.exp(-_scaled(sums, postprocessor))))


def _softmax(sums: Array, postprocessor: Postprocessor) -> Array:
    powers = np.exp(_scaled(sums - sums.max(axis=1, keepdims=True), postprocessor))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


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
        return np.asarray(1 / (1 + np.exp(calibrator.slope * score + calibrator.offset)))
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
    "exponential": lambda sums, postprocessor: np.asarray(np.exp(_scaled(sums, postprocessor))),
    "identity": _scaled,
    "calibrated": _calibrated,
}

"""From a program's sums to what the original answers."""

from array import array
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir.plan import (
    Calibrator,
    Link,
    Plan,
    Probabilities,
    Threshold,
    Value,
)

Array = NDArray[Any]
Answer = Callable[["array[float]"], list[Any]]


def answering(plan: Plan, outputs: int) -> Answer:
    """The function that turns the sums of n rows, n x outputs, into n answers."""
    answer, link = plan.answer, plan.link
    if isinstance(answer, Value):
        return lambda sums: linked(sums, link, outputs)[:, 0].tolist()
    if isinstance(answer, Probabilities):
        return lambda sums: scores(sums, plan, outputs).tolist()
    decide = _by_threshold if isinstance(answer, Threshold) else _by_largest
    if not link.calibrators:
        return decide(answer, outputs)
    by_scores = decide(answer, link.classes)
    return lambda sums: by_scores(array("d", linked(sums, link, outputs).tobytes()))


def scores(sums: "array[float]", plan: Plan, outputs: int) -> Array:
    """The probabilities, shape (rows, classes), or a regression's values, shape (rows, 1)."""
    made = linked(sums, plan.link, outputs)
    if outputs > 1 or isinstance(plan.answer, Value) or plan.link.calibrators:
        return made
    return np.column_stack([1 - made, made])


def linked(sums: "array[float]", link: Link, outputs: int) -> Array:
    """What the link makes of n x outputs sums: shape (rows, outputs), or (rows, classes)."""
    rows = np.frombuffer(sums).reshape(-1, outputs)
    with np.errstate(over="ignore"):
        return LINKS[link.name](rows.astype(np.float32) if link.narrow else rows, link)


def _by_threshold(threshold: Any, outputs: int) -> Answer:
    bound, below, above = threshold.bound, threshold.below, threshold.above
    output = threshold.output
    return lambda sums: [above if total >= bound else below for total in sums[output::outputs]]


def _by_largest(largest: Any, outputs: int) -> Answer:
    labels, divisor = largest.labels, largest.divisor

    def answer(sums: "array[float]") -> list[Any]:
        shares = [total / divisor for total in sums] if divisor != 1 else sums.tolist()
        rows = (shares[first : first + outputs] for first in range(0, len(shares), outputs))
        return [labels[row.index(max(row))] for row in rows]

    return answer


def _expit(sums: Array, link: Link) -> Array:
    one = sums.dtype.type(1)
    return np.asarray(one / (one + np.exp(-_scaled(sums, link))))


def _softmax(sums: Array, link: Link) -> Array:
    shares = np.exp(_scaled(sums - sums.max(axis=1, keepdims=True), link))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _scaled(sums: Array, link: Link) -> Array:
    return sums if link.scale == 1 else link.scale * sums


def _calibrated(sums: Array, link: Link) -> Array:
    """Each fold's calibrated shares, as scikit-learn normalizes them, and then their mean."""
    parts = [_calibrate(sums[:, c.output] / link.scale, c) for c in link.calibrators]
    folds = np.column_stack(parts).reshape(len(sums), -1, link.classes - (link.classes == 2))
    total = np.zeros((len(sums), link.classes))
    for shares in folds.swapaxes(0, 1):
        total += _normalized(shares)
    return np.asarray(total / folds.shape[1])


def _calibrate(score: Array, calibrator: Calibrator) -> Array:
    if calibrator.slope is not None:
        return np.asarray(1 / (1 + np.exp(calibrator.slope * score + calibrator.offset)))
    known, made = (np.frombuffer(part, "<f8") for part in (calibrator.known, calibrator.made))
    return np.asarray(np.interp(score, known, made))


def _normalized(shares: Array) -> Array:
    if shares.shape[1] == 1:
        return np.column_stack([1 - shares, shares])
    total = shares.sum(axis=1, keepdims=True)
    even = np.full_like(shares, 1 / shares.shape[1])
    return np.asarray(np.divide(shares, total, out=even, where=total != 0))


LINKS: Mapping[str, Callable[[Array, Link], Array]] = {
    "mean": lambda sums, link: sums / link.scale,
    "expit": _expit,
    "softmax": _softmax,
    "exp": lambda sums, link: np.asarray(np.exp(_scaled(sums, link))),
    "identity": _scaled,
    "calibrated": _calibrated,
}

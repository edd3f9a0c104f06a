"""From a program's sums to what the original answers."""

from array import array
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terna.serving.compiled.plan import Largest, Link, Probabilities, Threshold, Value

Array = NDArray[np.float64]
Answer = Callable[["array[float]"], list[Any]]


def answering(
    answer: Threshold | Largest | Value | Probabilities, link: Link, outputs: int
) -> Answer:
    """The function that turns the sums of n rows, n x outputs, into n answers."""
    if isinstance(answer, Threshold):
        return _by_threshold(answer, outputs)
    if isinstance(answer, Largest):
        return _by_largest(answer, outputs)
    linked = LINKS[link.name]
    if isinstance(answer, Value):
        return lambda sums: linked(_rows(sums, outputs), link.scale)[:, 0].tolist()
    return lambda sums: probabilities(sums, link, outputs).tolist()


def probabilities(sums: "array[float]", link: Link, outputs: int) -> Array:
    """Shape (rows, classes), or (rows, 1) for a regression."""
    linked = LINKS[link.name](_rows(sums, outputs), link.scale)
    if outputs == 1 and link.name in ("mean", "expit"):
        return np.column_stack([1 - linked, linked])
    return linked


def _by_threshold(threshold: Threshold, outputs: int) -> Answer:
    bound, below, above = threshold.bound, threshold.below, threshold.above
    output = threshold.output
    return lambda sums: [above if total >= bound else below for total in sums[output::outputs]]


def _by_largest(largest: Largest, outputs: int) -> Answer:
    labels, divisor = largest.labels, largest.divisor

    def answer(sums: "array[float]") -> list[Any]:
        shares = [total / divisor for total in sums] if divisor != 1 else sums.tolist()
        rows = (shares[first : first + outputs] for first in range(0, len(shares), outputs))
        return [labels[row.index(max(row))] for row in rows]

    return answer


def _rows(sums: "array[float]", outputs: int) -> Array:
    return np.frombuffer(sums).reshape(-1, outputs)


def _expit(sums: Array, scale: float) -> Array:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-scale * sums))


def _softmax(sums: Array, scale: float) -> Array:
    shares = np.exp(scale * (sums - sums.max(axis=1, keepdims=True)))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


LINKS: Mapping[str, Callable[[Array, float], Array]] = {
    "mean": lambda sums, scale: sums / scale,
    "expit": _expit,
    "softmax": _softmax,
    "exp": lambda sums, scale: np.exp(scale * sums),
    "identity": lambda sums, scale: scale * sums,
}

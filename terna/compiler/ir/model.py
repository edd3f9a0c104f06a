"""A fitted estimator, as every frontend describes it: features → sums → what `predict` returns."""

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from terna.compiler.ir.plan import Argmax, Output, Postprocessor, Threshold
from terna.compiler.ir.trees import Ensemble
from terna.errors import NotCompilable

Array = NDArray[Any]


@dataclass(frozen=True)
class Weights:
    """A linear model."""

    coefficients: Array
    """float64, shape (features, sums)."""
    intercepts: tuple[float, ...]
    products: int = 1
    """See `plan.Linear.products`."""
    takes_missing: bool = False


@dataclass(frozen=True)
class ModelIR:
    """What a fitted estimator computes."""

    engine: Ensemble | Weights
    postprocessor: Postprocessor
    output: Output
    classes: tuple[Any, ...] = ()
    """Empty for a regression."""


def classifier(
    engine: Ensemble | Weights,
    postprocessor: Postprocessor,
    labels: Sequence[Any],
    bound: float | None = None,
) -> ModelIR:
    """Return a classifier by the bound of its one sum, or by the largest of its sums."""
    output = Argmax(list(labels)) if bound is None else Threshold(0, bound, *labels)
    return ModelIR(engine, postprocessor, output, tuple(labels))


def with_threshold(model: ModelIR, threshold: float, positive: Any, method: str) -> ModelIR:
    """Return the model with labels by whether the positive class's score reaches the threshold.

    Args:
        method: gives the score: predict_proba or decision_function.

    Raises:
        NotCompilable: it has not two classes, or `method` is not known here.
    """
    if len(model.classes) != 2:
        raise NotCompilable("a threshold for a model without two classes is not compiled")
    positive_index = model.classes.index(positive)
    negative = model.classes[1 - positive_index]
    if model.postprocessor.calibrators and method == "predict_proba":
        return replace(model, output=Threshold(positive_index, threshold, negative, positive))
    if isinstance(model.output, Argmax):
        if method != "predict_proba":
            raise NotCompilable("a threshold on the decision function of votes is not compiled")
        bound = lowest_sum(lambda total: total / model.postprocessor.scale >= threshold)
        return replace(model, output=Threshold(positive_index, bound, negative, positive))
    second = positive_index == 1
    reaches = _reaches(model.postprocessor, threshold, method, second)
    if second:
        return replace(model, output=Threshold(0, lowest_sum(reaches), negative, positive))
    bound = lowest_sum(lambda total: not reaches(total))
    return replace(model, output=Threshold(0, bound, positive, negative))


def _reaches(
    postprocessor: Postprocessor, threshold: float, method: str, second: bool
) -> Callable[[float], bool]:
    """Return whether a sum's score reaches the threshold; of the `second` class or the first."""
    from scipy.special import expit

    if method == "decision_function":
        return lambda total: bool((total if second else -total) >= threshold)
    if second:
        return lambda total: bool(expit(postprocessor.scale * total) >= threshold)
    return lambda total: bool(1 - expit(postprocessor.scale * total) >= threshold)


def lowest_sum(holds: Callable[[float], bool]) -> float:
    """Return the smallest double from which on `holds` is true, by bisection; NaN if it never is.

    Above it, `holds` must stay true.
    """
    low, high = _ordinal(-math.inf), _ordinal(math.inf)
    if holds(-math.inf):
        return -math.inf
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(_double(middle)) else (middle, high)
    return _double(high) if holds(_double(high)) else math.nan


def _ordinal(number: float) -> int:
    """Return a double's place in the order of all doubles."""
    bits = int(struct.unpack("<q", struct.pack("<d", number))[0])
    return bits if bits >= 0 else -(bits & (2**63 - 1))


def _double(ordinal: int) -> float:
    """Return the double at a place in the order of all doubles."""
    bits = ordinal if ordinal >= 0 else -ordinal - 2**63
    return float(struct.unpack("<d", struct.pack("<q", bits))[0])

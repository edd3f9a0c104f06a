"""A fitted model, as every frontend describes it: features → sums → what its `predict` answers."""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from terna.compiler.ir.plan import Largest, Link, Probabilities, Threshold, Value
from terna.compiler.ir.trees import Ensemble
from terna.errors import NotCompilable

Array = NDArray[Any]
Answer = Threshold | Largest | Value | Probabilities


@dataclass(frozen=True)
class Weights:
    """A linear model."""

    weights: Array
    """Shape (features, outputs)."""
    intercepts: tuple[float, ...]
    takes_missing: bool = False


@dataclass(frozen=True)
class Scored:
    """A fitted estimator: features → sums → what its `predict` answers."""

    engine: Ensemble | Weights
    link: Link
    answer: Answer
    classes: tuple[Any, ...] = ()
    """Empty for a regression."""


def at_threshold(scored: Scored, threshold: float, positive: Any, method: str) -> Scored:
    """With labels that say whether the positive class's score reaches the threshold.

    `method` is the score: predict_proba or decision_function.
    """
    if len(scored.classes) != 2:
        raise NotCompilable("a threshold for a model without two classes is not compiled")
    number = scored.classes.index(positive)
    if scored.link.calibrators and method == "predict_proba":
        labels = scored.classes[1 - number], positive
        return replace(scored, answer=Threshold(number, threshold, *labels))
    negative = scored.classes[1 - number]
    if isinstance(scored.answer, Largest):
        if method != "predict_proba":
            raise NotCompilable("a threshold on the decision function of votes is not compiled")
        bound = first_sum(lambda total: total / scored.link.scale >= threshold)
        return replace(scored, answer=Threshold(number, bound, negative, positive))
    rises = number == 1
    reached = _reached(scored.link, threshold, method, rises)
    if rises:
        return replace(scored, answer=Threshold(0, first_sum(reached), negative, positive))
    bound = first_sum(lambda total: not reached(total))
    return replace(scored, answer=Threshold(0, bound, positive, negative))


def _reached(link: Link, threshold: float, method: str, rises: bool) -> Callable[[float], bool]:
    """Whether a sum's score reaches the threshold; `rises`: the score is of the second class."""
    from scipy.special import expit

    if method == "decision_function":
        return lambda total: bool((total if rises else -total) >= threshold)
    if rises:
        return lambda total: bool(expit(link.scale * total) >= threshold)
    return lambda total: bool(1 - expit(link.scale * total) >= threshold)


def first_sum(holds: Callable[[float], bool]) -> float:
    """The smallest double from which on `holds`: it must not cease to hold above."""
    low, high = _rank(-math.inf), _rank(math.inf)
    if holds(-math.inf):
        return -math.inf
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(_of_rank(middle)) else (middle, high)
    return _of_rank(high) if holds(_of_rank(high)) else math.nan


def _rank(number: float) -> int:
    """Doubles in their order, as whole numbers."""
    bits = int(struct.unpack("<q", struct.pack("<d", number))[0])
    return bits if bits >= 0 else -(bits & (2**63 - 1))


def _of_rank(rank: int) -> float:
    bits = rank if rank >= 0 else -rank - 2**63
    return float(struct.unpack("<d", struct.pack("<q", bits))[0])

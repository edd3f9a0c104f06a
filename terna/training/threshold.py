"""Where the decision threshold is chosen."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

TOLERANCE = 0.01
"""How far below the best F1 a threshold still counts as good."""


def best_threshold(actual: NDArray[np.bool_], probability: NDArray[Any]) -> tuple[float, float]:
    """Return the decision threshold, and the best F1 that any threshold reaches on these rows.

    Args:
        actual: whether each row is positive, shape (n,).
        probability: of being positive, shape (n,).

    The very best threshold depends on a few customers. The mean of its neighbours whose F1 is
    within `TOLERANCE` does better on new customers: docs/decisions/0004-threshold.md has the
    figures.
    """
    precision, recall, thresholds = precision_recall_curve(actual, probability)
    f1 = (2 * precision * recall / np.maximum(precision + recall, 1e-12))[:-1]
    best = int(f1.argmax())
    worse = np.flatnonzero(f1 < f1[best] - TOLERANCE)
    first = max(worse[worse < best], default=-1) + 1
    last = min(worse[worse > best], default=len(f1)) - 1
    return float(thresholds[first : last + 1].mean()), float(f1[best])

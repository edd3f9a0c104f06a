"""The decision threshold: a good F1 that does not depend on a few customers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from terna.training.threshold import TOLERANCE, best_threshold


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1, max_size=20).filter(
        lambda rows: any(positive for positive, _ in rows)
    )
)
def test_f1_is_the_best_of_all_thresholds(rows: list[tuple[bool, int]]) -> None:
    actual = np.array([positive for positive, _ in rows])
    probability = np.array([share / 20 for _, share in rows])
    threshold, f1 = best_threshold(actual, probability)
    reached = [f1_score(actual, probability >= each) for each in probability]
    assert f1 == pytest.approx(max(reached))
    assert probability.min() <= threshold <= probability.max()


def test_separable_classes_are_separated() -> None:
    actual, probability = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.9])
    threshold, f1 = best_threshold(actual, probability)
    assert (threshold, f1) == (0.3, 1.0)
    assert ((probability >= threshold) == actual).all()


def test_thresholds_nearly_as_good_are_averaged() -> None:
    # 0.4 and 0.6 come within the tolerance of the best, which is 0.5.
    actual = np.array([0] * 300 + [1] * 300)
    probability = np.array([0.2] * 299 + [0.4] + [0.5] + [0.6] * 299)
    threshold, f1 = best_threshold(actual, probability)
    assert f1 == 1
    assert threshold == pytest.approx((0.4 + 0.5 + 0.6) / 3)


def test_bad_threshold_between_two_good_ones_is_not_chosen() -> None:
    # F1 is good at 0.1 and at 0.9, and bad at 0.5.
    actual = np.array([1] * 40 + [0] * 60 + [1] * 100)
    probability = np.array([0.1] * 40 + [0.5] * 60 + [0.9] * 100)
    threshold, f1 = best_threshold(actual, probability)
    assert f1_score(actual, probability >= threshold) >= f1 - TOLERANCE

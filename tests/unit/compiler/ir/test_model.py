"""Labels that follow from sums."""

import math

import numpy as np
import pytest

from terna.compiler.ir.model import ModelIR, Weights, classifier, lowest_sum, with_threshold
from terna.compiler.ir.plan import Argmax, Postprocessor, Threshold, Value
from terna.errors import NotCompilable

WEIGHTS = Weights(np.ones((1, 1)), (0.0,))


def logistic() -> ModelIR:
    return classifier(WEIGHTS, Postprocessor("sigmoid"), ["no", "yes"], 0.0)


@pytest.mark.parametrize("bound", [0.0, math.ulp(0.0), -math.ulp(0.0), 0.1, -1e300, 1e300])
def test_lowest_sum_is_exact_to_the_last_bit(bound: float) -> None:
    assert lowest_sum(lambda total: total >= bound) == bound


def test_lowest_sum_of_what_always_and_never_holds() -> None:
    assert lowest_sum(lambda _: True) == -math.inf
    assert math.isnan(lowest_sum(lambda _: False))


def test_threshold_on_the_second_class_labels_large_sums_as_it() -> None:
    output = with_threshold(logistic(), 0.5, "yes", "predict_proba").output

    assert isinstance(output, Threshold)
    assert (output.below, output.above) == ("no", "yes")
    assert output.bound == pytest.approx(0, abs=1e-15)


def test_threshold_on_the_first_class_labels_small_sums_as_it() -> None:
    output = with_threshold(logistic(), -2.0, "no", "decision_function").output

    assert isinstance(output, Threshold)
    assert (output.below, output.above) == ("no", "yes")
    assert output.bound == math.nextafter(2.0, 3.0)


def test_threshold_on_votes_counts_trees() -> None:
    forest = ModelIR(WEIGHTS, Postprocessor("mean", 10.0), Argmax(["a", "b"], 10.0), ("a", "b"))

    output = with_threshold(forest, 0.5, "b", "predict_proba").output

    assert output == Threshold(1, 5.0, "a", "b")


@pytest.mark.parametrize("classes", [(), ("a",), ("a", "b", "c")])
def test_threshold_without_two_classes_is_refused(classes: tuple[str, ...]) -> None:
    model = ModelIR(WEIGHTS, Postprocessor("softmax"), Value(), classes)

    with pytest.raises(NotCompilable, match="two classes"):
        with_threshold(model, 0.5, "a", "predict_proba")

"""Sums become predictions."""

import ctypes
import math
from array import array
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from sklearn.utils.extmath import softmax

from terna.compiler.ir.plan import (
    Argmax,
    Calibrator,
    Linear,
    Output,
    Plan,
    Postprocessor,
    Probabilities,
    Threshold,
    Value,
)
from terna.compiler.runtime.postprocessing import output_function, postprocess, scores


def plan(output: Output, postprocessor: Postprocessor, classes: list[str] | None = None) -> Plan:
    return Plan("", [], [], Linear(b"", b"", ()), postprocessor, output, classes)


def predictions(
    output: Output, postprocessor: Postprocessor, sums: list[float], per_row: int
) -> list[Any]:
    return output_function(plan(output, postprocessor), per_row)(array("d", sums))


def test_threshold_labels_a_sum_at_the_bound_as_above() -> None:
    output = Threshold(1, 0.5, "no", "yes")
    sums = [9.0, 0.5, 9.0, float(np.nextafter(0.5, 0))]

    assert predictions(output, Postprocessor("identity"), sums, 2) == ["yes", "no"]


def test_argmax_takes_the_first_of_equal_sums() -> None:
    sums = [1.0, 2.0, 2.0, 3.0, 0.0, 0.0]

    assert predictions(Argmax(["a", "b", "c"]), Postprocessor("identity"), sums, 3) == ["b", "a"]


def test_argmax_compares_after_its_division() -> None:
    sums = [1.99, float(np.nextafter(1.99, 2.0))]
    assert sums[0] / 1.9 == sums[1] / 1.9

    assert predictions(Argmax(["a", "b"], 1.9), Postprocessor("mean", 1.9), sums, 2) == ["a"]


@pytest.mark.parametrize(
    ("postprocessor", "expected"),
    [
        (Postprocessor("identity", 2.0), 2.0),
        (Postprocessor("mean", 4.0), 0.25),
        (Postprocessor("exponential"), np.e),
        (Postprocessor("sigmoid", 2.0), 1 / (1 + np.exp(-2))),
        (Postprocessor("sigmoid", in_float32=True), float(np.float32(1 / (1 + np.exp(-1))))),
    ],
)
def test_value_of_one_sum(postprocessor: Postprocessor, expected: float) -> None:
    assert predictions(Value(), postprocessor, [1.0], 1) == [pytest.approx(expected, rel=1e-6)]


def test_probabilities_of_one_sum_are_of_both_classes() -> None:
    of_two = plan(Probabilities(), Postprocessor("sigmoid"), ["no", "yes"])

    assert output_function(of_two, 1)(array("d", [0.0])) == [[0.5, 0.5]]


@pytest.mark.parametrize("in_float32", [False, True])
def test_sigmoid_takes_the_exponential_of_the_c_library(in_float32: bool) -> None:
    process = ctypes.CDLL(None)
    exp, real = (process.expf, ctypes.c_float) if in_float32 else (process.exp, ctypes.c_double)
    exp.argtypes, exp.restype = [real], real
    kind: Any = np.float32 if in_float32 else np.float64
    sums = np.random.default_rng(0).normal(0, 5, 1000).astype(kind)

    made = postprocess(
        array("d", sums.astype(float)), Postprocessor("sigmoid", in_float32=in_float32), 1
    )

    powers = np.array([exp(float(-total)) for total in sums], kind)
    assert made[:, 0].tolist() == (kind(1) / (kind(1) + powers)).tolist()


def test_softmax_adds_up_class_by_class() -> None:
    sums = np.random.default_rng(0).normal(0, 5, (1000, 20))

    made = postprocess(array("d", sums.ravel()), Postprocessor("softmax"), 20)

    powers = [[math.exp(total - max(row)) for total in row] for row in sums.tolist()]
    totals = [list(accumulate(row))[-1] for row in powers]
    expected = [[p / total for p in row] for row, total in zip(powers, totals, strict=True)]
    assert made.tolist() == expected


@pytest.mark.parametrize(("name", "order"), [("", "C"), ("_by_columns", "F")])
def test_softmax_of_scikit_learn_is_equal_in_either_memory_order(name: str, order: Any) -> None:
    sums = np.random.default_rng(0).normal(0, 5, (1000, 20))

    made = postprocess(array("d", sums.ravel()), Postprocessor(f"numpy_softmax{name}"), 20)

    assert made.tolist() == softmax(np.array(sums, order=order)).tolist()


def test_softmax_of_large_sums_does_not_overflow() -> None:
    (row,) = predictions(Probabilities(), Postprocessor("softmax"), [1e4, 1e4, -1e4], 3)

    assert row == [0.5, 0.5, 0.0]


def test_calibrated_probabilities_are_the_mean_of_the_folds() -> None:
    points = np.array([0.0, 1.0]).tobytes(), np.array([0.2, 0.6]).tobytes()
    folds = (Calibrator(0, slope=0.0, offset=0.0), Calibrator(1, x=points[0], y=points[1]))
    postprocessor = Postprocessor("calibrated", calibrators=folds, classes=2)

    made = postprocess(array("d", [9.0, 0.5]), postprocessor, 2)

    assert made.tolist() == [pytest.approx([0.55, 0.45])]  # of 0.5 and 0.4


def test_calibrated_classes_without_any_probability_share_it() -> None:
    zero = np.array([0.0, 1.0]).tobytes(), np.zeros(2).tobytes()
    folds = tuple(Calibrator(index, x=zero[0], y=zero[1]) for index in range(4))
    postprocessor = Postprocessor("calibrated", calibrators=folds, classes=4)

    made = scores(array("d", [0.5] * 4), plan(Argmax(list("abcd")), postprocessor, [*"abcd"]), 4)

    assert made.tolist() == [[0.25] * 4]

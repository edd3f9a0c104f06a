"""The plots of a hold-out show the values that they are given."""

import numpy as np
import pytest

from terna.training.plots import holdout, style
from tests.unit.training.plots.drawn import axes_of, bars, texts_of

RANDOM = np.random.default_rng(7)


def test_confusion_matrix_shows_counts_and_shares_of_actual_class() -> None:
    axes = axes_of(holdout.confusion_matrix(["no", "yes"], np.array([[90, 10], [5, 15]])))
    assert texts_of(axes) == ["90\n90.0%", "10\n10.0%", "5\n25.0%", "15\n75.0%"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("actual class", "predicted class")


def test_confusion_matrix_of_50_classes_shows_class_without_rows() -> None:
    labels, matrix = [f"class {each}" for each in range(50)], np.diag(np.arange(50))
    figure = holdout.confusion_matrix(labels, matrix)
    figure.draw_without_rendering()  # lays it out; its many pixels would take seconds
    assert [name.get_text() for name in figure.axes[0].get_yticklabels()] == labels


def test_precision_recall_marks_the_threshold() -> None:
    actual = np.array([0, 0, 1, 1, 1])
    probability = np.array([0.1, 0.6, 0.4, 0.6, 0.9])
    axes = axes_of(holdout.precision_recall(actual, probability, threshold=0.6))
    (point,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert np.ravel([point.get_xdata(), point.get_ydata()]) == pytest.approx([2 / 3, 2 / 3])


def test_precision_recall_shows_average_precision() -> None:
    actual, probability = np.array([0, 1, 0, 1]), np.array([0.1, 0.8, 0.2, 0.9])
    axes = axes_of(holdout.precision_recall(actual, probability, threshold=0.5))
    names = axes.get_legend()
    assert names is not None
    assert names.get_texts()[0].get_text() == "average precision 1.000"


def test_precision_recall_is_drawn_when_no_row_reaches_threshold() -> None:
    actual, probability = np.array([0, 1, 0, 1]), np.array([0.1, 0.8, 0.2, 0.9])
    assert style.png(holdout.precision_recall(actual, probability, threshold=1.0))


def test_calibration_of_true_probabilities_is_diagonal() -> None:
    probability = RANDOM.random(20_000)
    actual = (RANDOM.random(20_000) < probability).astype(int)
    curve = axes_of(holdout.calibration(actual, probability)).lines[1]
    assert len(np.asarray(curve.get_xdata())) == 10
    assert np.asarray(curve.get_ydata()) == pytest.approx(np.asarray(curve.get_xdata()), abs=0.05)


def test_calibration_bins_hold_equally_many_rows() -> None:
    probability = RANDOM.random(20_000) ** 4
    actual = (RANDOM.random(20_000) < probability).astype(int)
    curve = axes_of(holdout.calibration(actual, probability)).lines[1]
    assert np.median(np.asarray(curve.get_xdata())) < 0.1


def test_calibration_has_histogram_of_probabilities() -> None:
    figure = holdout.calibration(np.array([0, 1, 1, 0]), np.array([0.1, 0.9, 0.8, 0.1]))
    assert sum(bar.get_height() for bar in bars(figure.axes[1])) == 4

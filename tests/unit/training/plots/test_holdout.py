"""What a person may expect of the plots that judge a model."""

import numpy as np
import pytest

from terna.training.plots import holdout, style
from tests.unit.training.plots.drawn import axes_of, bars, written

SOME = np.random.default_rng(7)


def test_confusion_matrix_writes_counts_and_the_share_of_the_actual_class() -> None:
    axes = axes_of(holdout.confusion_matrix(["no", "yes"], np.array([[90, 10], [5, 15]])))
    assert written(axes) == ["90\n90.0%", "10\n10.0%", "5\n25.0%", "15\n75.0%"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("actual class", "predicted class")


def test_confusion_matrix_takes_fifty_classes_and_one_that_never_occurred() -> None:
    labels, matrix = [f"class {each}" for each in range(50)], np.diag(np.arange(50))
    figure = holdout.confusion_matrix(labels, matrix)
    figure.draw_without_rendering()  # lays it out; its many pixels would take seconds
    assert [name.get_text() for name in figure.axes[0].get_yticklabels()] == labels


def test_precision_recall_marks_the_point_of_the_chosen_threshold() -> None:
    actual = np.array([0, 0, 1, 1, 1])
    probability = np.array([0.1, 0.6, 0.4, 0.6, 0.9])
    axes = axes_of(holdout.precision_recall(actual, probability, threshold=0.6))
    (point,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert np.ravel([point.get_xdata(), point.get_ydata()]) == pytest.approx([2 / 3, 2 / 3])


def test_precision_recall_states_the_average_precision() -> None:
    actual, probability = np.array([0, 1, 0, 1]), np.array([0.1, 0.8, 0.2, 0.9])
    axes = axes_of(holdout.precision_recall(actual, probability, threshold=0.5))
    names = axes.get_legend()
    assert names is not None
    assert names.get_texts()[0].get_text() == "average precision 1.000"


def test_precision_recall_takes_a_threshold_that_nothing_reaches() -> None:
    actual, probability = np.array([0, 1, 0, 1]), np.array([0.1, 0.8, 0.2, 0.9])
    assert style.png(holdout.precision_recall(actual, probability, threshold=1.0))


def test_calibration_of_honest_probabilities_lies_on_the_diagonal() -> None:
    probability = SOME.random(20_000)
    actual = (SOME.random(20_000) < probability).astype(int)
    curve = axes_of(holdout.calibration(actual, probability)).lines[1]
    assert len(np.asarray(curve.get_xdata())) == 10
    assert np.asarray(curve.get_ydata()) == pytest.approx(np.asarray(curve.get_xdata()), abs=0.05)


def test_calibration_has_as_many_points_among_small_probabilities_as_there_are_rows() -> None:
    probability = SOME.random(20_000) ** 4
    actual = (SOME.random(20_000) < probability).astype(int)
    curve = axes_of(holdout.calibration(actual, probability)).lines[1]
    assert np.median(np.asarray(curve.get_xdata())) < 0.1


def test_calibration_shows_beneath_how_many_rows_got_which_probability() -> None:
    figure = holdout.calibration(np.array([0, 1, 1, 0]), np.array([0.1, 0.9, 0.8, 0.1]))
    assert sum(bar.get_height() for bar in bars(figure.axes[1])) == 4

"""The plots of a hold-out: confusion matrix, precision-recall curve and calibration."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, precision_recall_curve

from terna.training.plots import style


def confusion_matrix(labels: Sequence[str], matrix: NDArray[np.integer]) -> Figure:
    """Draw actual against predicted classes, shaded by the share of the actual class.

    labels: n_classes names; matrix: (n_classes, n_classes) row counts, rows actual.
    """
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = 2.4 + 0.8 * min(len(labels), 8) + 0.3 * max(0, min(len(labels), 50) - 8)
    figure, axes = style.single_plot(side + 0.8, side)
    image = axes.imshow(shares, cmap=style.SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
    bar = figure.colorbar(image, ax=axes, shrink=0.6, label="share of the actual class")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    style.style_colorbar(bar.ax)
    if len(labels) <= style.MAX_ANNOTATED_CELLS:
        _write_counts(axes, matrix, shares)
    names = [style.label(name, 20) for name in labels]
    style.label_grid(axes, rows=names, columns=names)
    axes.set(xlabel="predicted class", ylabel="actual class")
    return figure


def precision_recall(
    actual: NDArray[np.integer], probability: NDArray[np.floating], threshold: float
) -> Figure:
    """Draw the precision-recall curve, its average precision and the chosen threshold's point.

    actual: (n,) of 0 and 1, with at least one 1; probability: (n,) of class 1, 0..1;
    threshold: a row is predicted 1 when its probability is at least this.
    """
    precision, recall, _ = precision_recall_curve(actual, probability)
    average = average_precision_score(actual, probability)
    figure, axes = style.single_plot(5.2, 4.2)
    curve = axes.step(recall, precision, where="post", color=style.BLUE, linewidth=1.8)
    chance = axes.axhline(np.mean(actual), color=style.SOFT, linewidth=1, linestyle=(0, (4, 3)))
    at_recall, at_precision = _point_at(actual, probability >= threshold)
    point = axes.plot(at_recall, at_precision, "o", color=style.ORANGE, markersize=8, clip_on=False)
    style.legend(
        axes,
        [*curve, *point, chance],
        [
            f"average precision {average:.3f}",
            f"threshold {threshold:.3g}: precision {at_precision:.3f}, recall {at_recall:.3f}",
            f"answering at random: precision {np.mean(actual):.3f}",
        ],
    )
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.03))
    return figure


def calibration(actual: NDArray[np.integer], probability: NDArray[np.floating]) -> Figure:
    """Draw the reliability curve over ten equally full bins, and the probabilities' histogram.

    actual: (n,) of 0 and 1; probability: (n,) of class 1, 0..1.
    """
    observed, predicted = calibration_curve(actual, probability, n_bins=10, strategy="quantile")
    figure = style.figure(5.2, 5.0)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1])
    ideal = top.plot([0, 1], [0, 1], color=style.SOFT, linewidth=1, linestyle=(0, (4, 3)))
    curve = top.plot(predicted, observed, "o-", color=style.BLUE, linewidth=1.8, markersize=5)
    brier = brier_score_loss(actual, probability)
    style.legend(
        top, [*curve, *ideal], [f"this model (Brier score {brier:.4f})", "perfectly calibrated"]
    )
    top.set(ylabel="observed share of class 1", xlim=(-0.01, 1.01), ylim=(-0.02, 1.04))
    bottom.hist(probability, bins=np.linspace(0, 1, 41), color=style.BLUE, alpha=0.75)
    bottom.set(xlabel="predicted probability of class 1", ylabel="rows")
    style.style_axes(top)
    style.style_axes(bottom)
    return figure


def _write_counts(axes: Axes, matrix: NDArray[np.integer], shares: NDArray[np.float64]) -> None:
    roomy = len(matrix) <= 8
    for (row, column), count in np.ndenumerate(matrix):
        text = f"{count:,}\n{shares[row, column]:.1%}" if roomy else f"{count:,}"
        colour = style.PAPER if shares[row, column] > 0.55 else style.INK
        size = 9.5 if roomy else 7
        axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)


def _point_at(actual: NDArray[np.integer], predicted: NDArray[np.bool_]) -> tuple[float, float]:
    """Return recall and precision of a prediction; precision is 1 when nothing is predicted."""
    hits = np.sum(predicted & (actual == 1))
    return float(hits / np.sum(actual)), float(hits / np.sum(predicted)) if predicted.any() else 1.0

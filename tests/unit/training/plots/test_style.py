"""Every plot: names as they are, the same bytes each time, nothing global changed."""

import sys
import warnings
from collections.abc import Callable

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from terna.training.plots import holdout, style
from terna.training.plots import table as plots
from tests.unit.training.plots.drawn import churn


@pytest.mark.parametrize("name", [r"$\frac{$", "$_x$", r"a \$ b"])
def test_dollar_sign_in_name_is_not_math(name: str) -> None:
    target, matrix = pd.Series([name, name, "_yes", "_yes"]), np.eye(2, dtype=int)
    text = pd.DataFrame({name: [name, name, "_x", None]})
    numbers = pd.DataFrame({name: [1, 2, 3, 5], f"{name}?": [1, 3, 2, 4]})
    assert style.png(plots.distributions(text, target)[0])
    assert style.png(plots.class_balance(target))
    assert style.png(holdout.confusion_matrix([name, "_yes"], matrix))
    for figure in (plots.missing(text), plots.correlations(numbers)):
        assert figure is not None
        assert style.png(figure)


def test_letters_missing_in_font_do_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert style.png(plots.class_balance(pd.Series(["猫", "犬", "犬"])))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("total_day_minutes", "total_day_minutes"),
        ("two\nlines\tand \u202ea trick", "two lines and a trick"),
        ("", "(empty)"),
        ("customers of the northern region, part 17", "customers of the n…, part 17"),
        (7, "7"),
    ],
)
def test_label_is_one_short_printable_line(name: object, shown: str) -> None:
    assert style.label(name) == shown
    assert len(style.label(name)) <= 28


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0.0%"), (1e-5, "<0.1%"), (0.1234, "12.3%"), (0.99999, ">99.9%"), (1, "100.0%")],
)
def test_share_is_not_rounded_to_0_or_100_percent(share: float, text: str) -> None:
    assert style.format_share(share) == text


def test_png_has_twice_the_pixels_of_the_screen() -> None:
    figure = plots.class_balance(churn())
    image = style.png(figure)
    assert image.startswith(b"\x89PNG")
    assert int.from_bytes(image[16:20]) == int(figure.get_figwidth() * 2 * style.PIXELS_PER_INCH)


def every_plot() -> list[Callable[[], Figure | None]]:
    actual, probability = np.array([0, 1, 0, 1]), np.array([0.1, 0.8, 0.2, 0.9])
    table = pd.DataFrame({"a": [1.0, 2, 4, None], "b": [1.0, 3, 2, 5]})
    return [
        lambda: plots.class_balance(churn()),
        lambda: plots.distributions(table, churn(4))[0],
        lambda: plots.distributions(table.astype("str"), churn(4))[0],
        lambda: plots.correlations(table),
        lambda: plots.missing(table),
        lambda: holdout.confusion_matrix(["no", "yes"], np.eye(2, dtype=int)),
        lambda: holdout.precision_recall(actual, probability, 0.5),
        lambda: holdout.calibration(actual, probability),
    ]


@pytest.mark.parametrize("draw", every_plot())
def test_plot_changes_nothing_global(draw: Callable[[], Figure | None]) -> None:
    before = matplotlib.rcParams.copy()
    figure = draw()
    assert figure is not None
    assert style.png(figure)
    assert matplotlib.rcParams.copy() == before
    pyplot = sys.modules.get("matplotlib.pyplot")  # some other test may have imported it
    assert pyplot is None or not pyplot.get_fignums()


@pytest.mark.parametrize("draw", every_plot())
def test_plot_is_reproducible(draw: Callable[[], Figure | None]) -> None:
    first, second = draw(), draw()
    assert first is not None
    assert second is not None
    assert style.png(first) == style.png(second)

"""A target to draw, and what can be seen in a figure."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

ROWS = 600


def axes_of(figure: Figure | None) -> Axes:
    """Return the first plot of a figure."""
    assert figure is not None
    return figure.axes[0]


def texts_of(axes: Axes) -> list[str]:
    """Return the texts inside a plot."""
    return [text.get_text() for text in axes.texts]


def bars(axes: Axes) -> Iterator[Rectangle]:
    """Return the bars of a plot."""
    return (patch for patch in axes.patches if isinstance(patch, Rectangle))


def churn(rows: int = ROWS) -> pd.Series:
    """Return a target, of which every fourth row is yes."""
    return pd.Series(np.where(np.arange(rows) % 4 == 0, "yes", "no"), name="churn")

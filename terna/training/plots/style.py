"""The style of every plot, without pyplot: nothing global changes, and any thread may draw.

Column and class names come from users' files, so they are drawn as they are, never as formulas.
"""

import io
import warnings
from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

# Okabe and Ito's palette, which people with any colour vision can tell apart.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#4d4d4d")
BLUE, ORANGE = COLOURS[0], "#d55e00"
OTHER = "#b8b8b8"
INK, SOFT, FAINT, PAPER = "#2b2b2b", "#6f6f6f", "#e4e4e4", "#ffffff"
SEQUENTIAL = LinearSegmentedColormap.from_list("terna_sequential", [PAPER, BLUE])
DIVERGING = LinearSegmentedColormap.from_list("terna_diverging", [BLUE, "#f4f4f4", ORANGE])

PIXELS_PER_INCH = 96  # what a browser calls an inch
MAX_ANNOTATED_CELLS = 20

ROUND_STEPS = [1, 2, 2.5, 5, 10]
THOUSANDS = FuncFormatter(lambda value, _: f"{value:,g}")


def figure(width: float, height: float) -> Figure:
    """Create an empty figure, in inches."""
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    return Figure(figsize=(width, height), dpi=PIXELS_PER_INCH, layout=layout, facecolor=PAPER)


def single_plot(width: float, height: float) -> tuple[Figure, Axes]:
    """Create a figure of one plot in our style, in inches."""
    created = figure(width, height)
    axes = created.add_subplot()
    style_axes(axes)
    return created, axes


def height_of_bars(bars: int) -> float:
    """Return the height of a plot of horizontal bars, in inches."""
    return 0.9 + 0.3 * bars


def mark_empty(axes: Axes) -> None:
    """Write "too few values" into a plot."""
    axes.text(0.5, 0.5, "too few values", ha="center", size=9, color=SOFT, transform=axes.transAxes)
    axes.set(xticks=[], yticks=[])


def class_colours(names: list[str]) -> dict[str, str]:
    """Return a colour for each class; the group of the rarer classes is grey."""
    colours = dict(zip(names, COLOURS, strict=False))
    return {name: OTHER if name.endswith(" others") else colours[name] for name in names}


def bar_colours(classes: int, bars: int) -> list[str]:
    """Return the class balance's colours: the same as the classes have in the distributions."""
    named = classes if classes <= len(COLOURS) else len(COLOURS) - 1
    return [*COLOURS[:named], *[OTHER] * bars][:bars]


def legend(axes: Axes, handles: Sequence[Artist], names: list[str]) -> None:
    """Add a legend where it hides least."""
    axes.legend(handles, names, fontsize=8.5, labelcolor=INK, frameon=False, loc="best")


def legend_above(axes: Axes, handles: Sequence[Artist], names: list[str]) -> None:
    """Add a legend above a plot that leaves no room for one."""
    axes.legend(
        handles,
        names,
        fontsize=8.5,
        labelcolor=INK,
        frameon=False,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=3,
    )


def add_title_and_legend(figure: Figure, title: str, colours: dict[str, str]) -> None:
    """Add the title and the classes' colours above the plot, where they hide nothing."""
    columns = min(len(colours), 2 if len(colours) == 4 else 3)
    squares = [Patch(color=colour) for colour in colours.values()]
    key = figure.legend(
        squares,
        [label(name, 22 if columns < 3 else 13) for name in colours],
        title=title,
        title_fontproperties={"size": 10, "weight": "bold"},
        alignment="left",
        loc="outside upper left",
        ncols=columns,
        fontsize=8,
        labelcolor=INK,
        frameon=False,
        borderpad=0,
        handlelength=1,
        handletextpad=0.4,
        columnspacing=1.2,
    )
    key.get_title().set_color(INK)
    _disable_math([key.get_title(), *key.get_texts()])


def label_rows(axes: Axes, names: list[str]) -> None:
    """Label horizontal bars, the first on top."""
    axes.set_yticks(range(len(names)), names)
    _disable_math(axes.get_yticklabels())
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def label_grid(axes: Axes, rows: list[str], columns: list[str]) -> None:
    """Label the rows and columns of a heat map; long column names are rotated."""
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xticks(range(len(columns)), columns)
    if max(map(len, columns)) > 5:
        for name in axes.get_xticklabels():
            name.set(rotation=45, ha="right", rotation_mode="anchor")
    _disable_math([*axes.get_yticklabels(), *axes.get_xticklabels()])
    axes.tick_params(labelsize=8.5 if len(rows) <= MAX_ANNOTATED_CELLS else 7)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _disable_math(texts: Sequence[Text]) -> None:
    """Draw a user's text as it is: a dollar sign would start a formula."""
    for text in texts:
        text.set_parse_math(False)


def annotate_cells(axes: Axes, cells: NDArray[np.float64], dark_beyond: float) -> None:
    """Write each cell's value, in white where its absolute value is beyond `dark_beyond`."""
    for (row, column), value in np.ndenumerate(cells):
        if np.ma.is_masked(cells[row, column]):
            continue
        colour = PAPER if abs(value) > dark_beyond else INK
        text = f"{value:.2f}".replace("-0.00", "0.00")
        axes.text(column, row, text, ha="center", va="center", fontsize=7.5, color=colour)


def style_axes(axes: Axes) -> None:
    """Draw grid, ticks and labels in our style."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(OTHER)
    axes.grid(visible=True, color=FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8.5, labelcolor=SOFT)
    axes.xaxis.label.set(color=INK, size=9)
    axes.yaxis.label.set(color=INK, size=9)


def style_colorbar(axes: Axes) -> None:
    """Draw a colour bar in our style."""
    axes.spines["outline"].set_visible(False)
    axes.tick_params(length=0, labelsize=8, labelcolor=SOFT)
    axes.yaxis.label.set(color=INK, size=8.5)


def label(value: object, limit: int = 28) -> str:
    """Turn a name from a user's file into one printable line of at most `limit` characters.

    A long one is cut in the middle: names that start alike often differ at the end.
    """
    text = "".join(mark if mark.isprintable() else " " for mark in str(value))
    text = " ".join(text.split()) or "(empty)"
    end = limit // 3
    return text if len(text) <= limit else f"{text[: limit - end - 1]}…{text[-end:]}"


def format_share(share: float) -> str:
    """Format a share of 0..1 in per cent, never rounded to 0% or 100% unless it is that."""
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return f"{share:.1%}"


def png(figure: Figure) -> bytes:
    """Render the figure as PNG, at twice the screen's resolution."""
    image = io.BytesIO()
    with warnings.catch_warnings():
        # Letters that the font lacks are drawn as boxes, which is no reason to fail.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(image, format="png", dpi=2 * PIXELS_PER_INCH)
    return image.getvalue()

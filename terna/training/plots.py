"""Every plot that training leaves behind: one small function each, one style for all.

Figures are plain objects (never pyplot): nothing global changes, and any thread may draw.
Column and class names come from users' files, so they are drawn as they are, never as formulas.
"""

import io
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from numpy.typing import NDArray
from pandas.api.types import is_any_real_numeric_dtype
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, precision_recall_curve

# Okabe and Ito's palette, which people with any colour vision can tell apart.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#4d4d4d")
BLUE, ORANGE = COLOURS[0], "#d55e00"
OTHER = "#b8b8b8"
INK, SOFT, FAINT, PAPER = "#2b2b2b", "#6f6f6f", "#e4e4e4", "#ffffff"
ONE_WAY = LinearSegmentedColormap.from_list("terna_one_way", [PAPER, BLUE])
TWO_WAYS = LinearSegmentedColormap.from_list("terna_two_ways", [BLUE, "#f4f4f4", ORANGE])

PIXELS_PER_INCH = 96  # what a browser calls an inch
CLASSES_NAMED = 50
CATEGORIES_NAMED = 12
COLUMNS_NAMED = 50
CELLS_WITH_FIGURES = 20
TOO_LARGE_TO_DRAW = 1e300  # infinity, and what some files write for a missing value

ROUND_STEPS = [1, 2, 2.5, 5, 10]
THOUSANDS = FuncFormatter(lambda value, _: f"{value:,g}")


def class_balance(target: pd.Series) -> Figure:
    """How many rows each class has, the most frequent first (beyond 50 classes, the first 50).

    target: (rows,) of any type; missing values are left out.
    """
    counts = as_classes(target).value_counts(sort=False)
    shown = counts.head(CLASSES_NAMED)
    figure, axes = _sheet(6.4, _height_of_bars(len(shown)))
    axes.barh(range(len(shown)), shown, color=_bar_colours(len(counts), len(shown)), height=0.7)
    for row, count in enumerate(shown):
        note = f"  {count:,} ({count / counts.sum():.1%})"
        axes.text(count, row, note, va="center", fontsize=8.5, color=SOFT)
    _name_rows(axes, [label(name) for name in shown.index])
    axes.set(xlabel="rows", ylabel="class", xlim=(0, shown.max() * 1.22))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=ROUND_STEPS))
    axes.xaxis.set_major_formatter(THOUSANDS)
    return figure


def distributions(table: pd.DataFrame, target: pd.Series) -> list[Figure]:
    """One figure per column of the table, in the table's order: the feature by class.

    table: (rows, features); target: (rows,) in the same order.
    """
    classes = _few_classes(as_classes(target.reset_index(drop=True)))
    columns = table.reset_index(drop=True).items()
    return [_distribution(column, classes) for _, column in columns]


def correlations(table: pd.DataFrame) -> Figure | None:
    """Heat map of Spearman's rank correlations between the numeric columns that vary.

    table: (rows, columns). None when fewer than two numeric columns vary.
    """
    ranks = spearman(table)
    if len(ranks) < 2:
        return None
    # One triangle says it all: the other repeats it and the diagonal is 1.
    below = ranks.to_numpy()[1:, :-1]
    cells = np.ma.masked_invalid(np.where(np.tri(len(below)) > 0, below, np.nan))
    side = 2.6 + 0.42 * min(len(ranks), CELLS_WITH_FIGURES) + 0.13 * _beyond_figures(len(ranks))
    figure, axes = _sheet(side + 0.7, side)
    image = axes.imshow(cells, cmap=TWO_WAYS, vmin=-1, vmax=1, aspect="auto")
    bar = figure.colorbar(image, ax=axes, shrink=0.6, label="Spearman's rank correlation")
    _quieten_bar(bar.ax)
    if len(ranks) <= CELLS_WITH_FIGURES:
        _write_cells(axes, cells, dark_beyond=0.6)
    names = [label(name, 30) for name in ranks.columns]
    _name_grid(axes, rows=names[1:], columns=names[:-1])
    return figure


def missing(table: pd.DataFrame) -> Figure | None:
    """The share of missing values per column, for the columns that have any (at most 50).

    table: (rows, columns). None when nothing is missing.
    """
    shares = table.isna().mean()
    shares = shares[shares > 0].sort_values(ascending=False, kind="stable")
    if shares.empty:
        return None
    shown = shares.head(COLUMNS_NAMED)
    figure, axes = _sheet(6.4, _height_of_bars(len(shown)))
    axes.barh(range(len(shown)), shown, color=BLUE, height=0.7)
    for row, share in enumerate(shown):
        axes.text(share, row, f"  {share_text(share)}", va="center", fontsize=8.5, color=SOFT)
    _name_rows(axes, [label(name) for name in shown.index])
    axes.set(xlabel=_of_all("share of rows missing", shown, shares), ylabel="column")
    axes.set_xlim(0, min(shown.max() * 1.15, 1.12))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=ROUND_STEPS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share * 100:g}%"))
    return figure


def confusion_matrix(labels: Sequence[str], matrix: NDArray[np.integer]) -> Figure:
    """Actual class against predicted class, shaded by the share of the actual class.

    labels: n_classes names; matrix: (n_classes, n_classes) row counts, rows actual.
    """
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = 2.4 + 0.8 * min(len(labels), 8) + 0.3 * max(0, min(len(labels), 50) - 8)
    figure, axes = _sheet(side + 0.8, side)
    image = axes.imshow(shares, cmap=ONE_WAY, vmin=0, vmax=1, aspect="auto")
    bar = figure.colorbar(image, ax=axes, shrink=0.6, label="share of the actual class")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _quieten_bar(bar.ax)
    if len(labels) <= CELLS_WITH_FIGURES:
        _write_counts(axes, matrix, shares)
    names = [label(name, 20) for name in labels]
    _name_grid(axes, rows=names, columns=names)
    axes.set(xlabel="predicted class", ylabel="actual class")
    return figure


def precision_recall(
    actual: NDArray[np.integer], probability: NDArray[np.floating], threshold: float
) -> Figure:
    """The precision-recall curve with its average precision and the chosen threshold's point.

    actual: (n,) of 0 and 1, with at least one 1; probability: (n,) of class 1, 0..1;
    threshold: a row is predicted 1 when its probability is at least this.
    """
    precision, recall, _ = precision_recall_curve(actual, probability)
    average = average_precision_score(actual, probability)
    figure, axes = _sheet(5.2, 4.2)
    curve = axes.step(recall, precision, where="post", color=BLUE, linewidth=1.8)
    chance = axes.axhline(np.mean(actual), color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    at_recall, at_precision = _point_at(actual, probability >= threshold)
    point = axes.plot(at_recall, at_precision, "o", color=ORANGE, markersize=8, clip_on=False)
    _legend(
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
    """Reliability curve over ten equally full bins, with the probabilities' histogram beneath.

    actual: (n,) of 0 and 1; probability: (n,) of class 1, 0..1.
    """
    observed, predicted = calibration_curve(actual, probability, n_bins=10, strategy="quantile")
    figure = _figure(5.2, 5.0)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1])
    ideal = top.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    curve = top.plot(predicted, observed, "o-", color=BLUE, linewidth=1.8, markersize=5)
    brier = brier_score_loss(actual, probability)
    _legend(
        top, [*curve, *ideal], [f"this model (Brier score {brier:.4f})", "perfectly calibrated"]
    )
    top.set(ylabel="observed share of class 1", xlim=(-0.01, 1.01), ylim=(-0.02, 1.04))
    bottom.hist(probability, bins=np.linspace(0, 1, 41), color=BLUE, alpha=0.75)
    bottom.set(xlabel="predicted probability of class 1", ylabel="rows")
    _quieten(top)
    _quieten(bottom)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as a PNG image, at twice the screen's resolution."""
    image = io.BytesIO()
    with warnings.catch_warnings():
        # A script that the font lacks is drawn as boxes; that is no reason to fail.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(image, format="png", dpi=2 * PIXELS_PER_INCH)
    return image.getvalue()


def as_classes(target: pd.Series) -> pd.Series:
    """The target as categories of text, the most frequent first, without the missing ones.

    target: (rows,) of any type. A categorical target keeps its own order.
    """
    known = target.dropna()
    text = known.astype("str")
    if isinstance(known.dtype, pd.CategoricalDtype):
        order = list(map(str, known.cat.remove_unused_categories().cat.categories))
    else:
        order = text.value_counts().index.to_list()
    return text.astype(pd.CategoricalDtype(list(dict.fromkeys(order))))


def spearman(table: pd.DataFrame) -> pd.DataFrame:
    """Spearman's correlations between the numeric columns that vary, as a square table.

    table: (rows, columns). Each column is ranked among its own known values, a pair is compared
    over the rows that both know, and NaN says that such rows do not exist or do not vary.
    """
    ranks = _varying_numbers(table).rank()
    known = ranks.notna().to_numpy(dtype="float64")
    values = (ranks - ranks.mean()).fillna(0.0).to_numpy(dtype="float64")
    # pandas compares pair by pair, which takes minutes for hundreds of columns; this is the same
    # arithmetic for all pairs at once.
    with np.errstate(invalid="ignore", divide="ignore"):
        shared = known.T @ known
        sums = values.T @ known
        products = values.T @ values - sums * sums.T / shared
        spread = (values**2).T @ known - sums**2 / shared
        spread[spread < 1e-6] = np.nan
        pairs = products / np.sqrt(spread * spread.T)
    return pd.DataFrame(pairs.clip(-1, 1), index=ranks.columns, columns=ranks.columns)


def label(value: object, limit: int = 28) -> str:
    """A name from a user's file as one printable line of at most `limit` characters.

    A long one is cut in its middle: names that start alike often differ at the end.
    """
    text = "".join(mark if mark.isprintable() else " " for mark in str(value))
    text = " ".join(text.split()) or "(empty)"
    end = limit // 3
    return text if len(text) <= limit else f"{text[: limit - end - 1]}…{text[-end:]}"


def share_text(share: float) -> str:
    """A share of 0..1 in per cent, where little is never rounded to nothing nor most to all."""
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return f"{share:.1%}"


def _distribution(column: pd.Series, classes: pd.Series) -> Figure:
    figure, axes = _sheet(3.7, 2.9)
    colours = _colours(classes)
    if is_any_real_numeric_dtype(column.dtype):
        _draw_histograms(axes, column, classes, colours)
    else:
        _draw_shares(axes, column, classes, colours)
    _head(figure, label(column.name, 38), colours)
    return figure


def _draw_histograms(
    axes: Axes, column: pd.Series, classes: pd.Series, colours: dict[str, str]
) -> None:
    values = _finite(column)
    axes.set(xlabel="value", ylabel="density")
    if values.empty:
        _say_empty(axes)
        return
    edges = _edges(values.to_numpy())
    for name, group in values.groupby(classes.reindex(values.index), observed=True):
        # Divided by the whole class, so that what lies beyond the axis is not redistributed.
        heights = np.histogram(group, edges)[0] / (len(group) * np.diff(edges))
        if len(colours) <= 3:
            axes.stairs(heights, edges, fill=True, color=colours[name], alpha=0.25)
        axes.stairs(heights, edges, color=colours[name], linewidth=1.4)
    axes.set(xlim=(edges[0], edges[-1]), xlabel=_value_axis(column, values, edges))
    whole = bool((values % 1 == 0).all())
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=whole, steps=ROUND_STEPS))
    axes.xaxis.set_major_formatter(THOUSANDS)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=ROUND_STEPS))


def _draw_shares(
    axes: Axes, column: pd.Series, classes: pd.Series, colours: dict[str, str]
) -> None:
    shares, counts = _shares_by_category(_few_categories(column), classes)
    start = np.zeros(len(shares))
    for name, colour in colours.items():
        axes.barh(range(len(shares)), shares[name], left=start, color=colour, height=0.74)
        start = start + shares[name].to_numpy()
    _name_rows(axes, [f"{label(name, 20)}  {count:,}" for name, count in counts.items()])
    axes.tick_params(axis="y", labelsize=8.5 if len(shares) < 8 else 7)
    axes.set(xlabel="share of each class", xlim=(0, 1))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(visible=False)


def _say_empty(axes: Axes) -> None:
    axes.text(0.5, 0.5, "no values", ha="center", size=9, color=SOFT, transform=axes.transAxes)
    axes.set(xticks=[], yticks=[])


def _shares_by_category(
    categories: pd.Series, classes: pd.Series
) -> tuple[pd.DataFrame, "pd.Series[int]"]:
    """Shares of each class (categories, classes), and rows per category, all rows first."""
    counts = pd.crosstab(categories, classes, dropna=False)
    counts = pd.concat([counts.sum().to_frame("all rows").T, counts])
    rows = counts.sum(axis=1)
    return counts.div(rows.clip(lower=1), axis=0), rows


def _few_categories(column: pd.Series) -> pd.Series:
    """The column as at most 12 named categories, "other" and "missing", in this order.

    A category that occurs once is never named: a plot is no place for a customer's name.
    """
    text = column.astype("str")
    counts = text.value_counts()
    named = counts[counts > 1].head(CATEGORIES_NAMED).index.to_list()
    other = f"other ({len(counts) - len(named):,})"
    order = list(dict.fromkeys([*named, other, "missing"]))
    folded = text.where(text.isin(named) | text.isna(), other).fillna("missing")
    return folded.astype(pd.CategoricalDtype(order)).cat.remove_unused_categories()


def _few_classes(classes: pd.Series) -> pd.Series:
    """The classes that a plot can tell apart: all of them, or the first six and the others."""
    names = classes.cat.categories.to_list()
    if len(names) <= len(COLOURS):
        return classes
    named = names[: len(COLOURS) - 1]
    other = f"{len(names) - len(named)} others"
    folded = classes.astype("str").where(classes.isin(named), other)
    return folded.astype(pd.CategoricalDtype(list(dict.fromkeys([*named, other]))))


def _colours(classes: pd.Series) -> dict[str, str]:
    names = classes.cat.categories.to_list()
    colours = dict(zip(names, COLOURS, strict=False))
    return {name: OTHER if name.endswith(" others") else colours[name] for name in names}


def _bar_colours(classes: int, bars: int) -> list[str]:
    """Colours of the class balance: those that the distributions give the same classes."""
    named = classes if classes <= len(COLOURS) else len(COLOURS) - 1
    return [*COLOURS[:named], *[OTHER] * bars][:bars]


def _finite(column: pd.Series) -> pd.Series:
    values = pd.Series(_numbers(column), index=column.index)
    return values[values.abs() < TOO_LARGE_TO_DRAW]


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    return column.to_numpy(dtype="float64", na_value=np.nan)


def _varying_numbers(table: pd.DataFrame) -> pd.DataFrame:
    numbers = {
        name: _numbers(column)
        for name, column in table.items()
        if is_any_real_numeric_dtype(column.dtype) and column.nunique() > 1
    }
    return pd.DataFrame(numbers, index=table.index)


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges of equal bins over the part of the axis that holds nearly all values: 8, up to 40."""
    low, high = _visible(values)
    bins = int(np.clip(np.sqrt(len(values)), 8, 30))
    whole = (values % 1 == 0).all()
    edges = _whole_edges(low, high, bins + 10) if whole else np.linspace(low, high, bins + 1)
    return np.unique(edges)  # numbers beyond 2^53 have no room for a bin of width 1


def _whole_edges(low: float, high: float, most: int) -> NDArray[np.float64]:
    """Bins of whole width, else some would catch one whole number more than their neighbours."""
    low, high = float(np.floor(low)), float(np.ceil(high))
    width = float(np.ceil((high - low + 1) / most))
    return low - 0.5 + width * np.arange((high - low) // width + 2)


def _visible(values: NDArray[np.float64]) -> tuple[float, float]:
    """The range to draw: all of it, or the middle 99% when the rest would squeeze it."""
    low, most_low, most_high, high = np.quantile(values, [0, 0.005, 0.995, 1])
    if most_low < most_high and high - low > 2.5 * (most_high - most_low):
        return float(most_low), float(most_high)
    margin = 0.0 if low < high else max(0.5, abs(low) * 1e-9)
    return float(low - margin), float(high + margin)


def _value_axis(column: pd.Series, values: pd.Series, edges: NDArray[np.float64]) -> str:
    beyond = ((values < edges[0]) | (values > edges[-1])).mean()
    left_out = 1 - len(values) / len(column)
    notes = [
        f"{share_text(beyond)} beyond the axis" if beyond > 0 else "",
        f"{share_text(left_out)} missing" if left_out > 0 else "",
    ]
    return " · ".join(["value", *filter(None, notes)])


def _point_at(actual: NDArray[np.integer], predicted: NDArray[np.bool_]) -> tuple[float, float]:
    """Recall and precision of a prediction; precision is 1 when nothing is predicted."""
    hits = np.sum(predicted & (actual == 1))
    return float(hits / np.sum(actual)), float(hits / np.sum(predicted)) if predicted.any() else 1.0


def _figure(width: float, height: float) -> Figure:
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    return Figure(figsize=(width, height), dpi=PIXELS_PER_INCH, layout=layout, facecolor=PAPER)


def _sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """A quiet figure of one plot, in inches."""
    figure = _figure(width, height)
    axes = figure.add_subplot()
    _quieten(axes)
    return figure, axes


def _quieten(axes: Axes) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(OTHER)
    axes.grid(visible=True, color=FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8.5, labelcolor=SOFT)
    axes.xaxis.label.set(color=INK, size=9)
    axes.yaxis.label.set(color=INK, size=9)


def _quieten_bar(axes: Axes) -> None:
    axes.spines["outline"].set_visible(False)
    axes.tick_params(length=0, labelsize=8, labelcolor=SOFT)
    axes.yaxis.label.set(color=INK, size=8.5)


def _height_of_bars(bars: int) -> float:
    return 0.9 + 0.3 * bars


def _beyond_figures(columns: int) -> int:
    return max(0, min(columns, 60) - CELLS_WITH_FIGURES)


def _of_all(text: str, shown: pd.Series, everything: pd.Series) -> str:
    cut = len(shown) < len(everything)
    return f"{text} (the {len(shown)} highest of {len(everything):,} columns)" if cut else text


def _name_rows(axes: Axes, names: list[str]) -> None:
    """Name horizontal bars, the first on top."""
    axes.set_yticks(range(len(names)), names)
    _as_written(axes.get_yticklabels())
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def _name_grid(axes: Axes, rows: list[str], columns: list[str]) -> None:
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xticks(range(len(columns)), columns)
    if max(map(len, columns)) > 5:
        for name in axes.get_xticklabels():
            name.set(rotation=45, ha="right", rotation_mode="anchor")
    _as_written([*axes.get_yticklabels(), *axes.get_xticklabels()])
    axes.tick_params(labelsize=8.5 if len(rows) <= CELLS_WITH_FIGURES else 7)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _as_written(texts: Sequence[Text]) -> None:
    """Draw a user's text as it is: a dollar sign would start a formula."""
    for text in texts:
        text.set_parse_math(False)


def _write_cells(axes: Axes, cells: NDArray[np.float64], dark_beyond: float) -> None:
    for (row, column), value in np.ndenumerate(cells):
        if np.ma.is_masked(cells[row, column]):
            continue
        colour = PAPER if abs(value) > dark_beyond else INK
        text = f"{value:.2f}".replace("-0.00", "0.00")
        axes.text(column, row, text, ha="center", va="center", fontsize=7.5, color=colour)


def _write_counts(axes: Axes, matrix: NDArray[np.integer], shares: NDArray[np.float64]) -> None:
    roomy = len(matrix) <= 8
    for (row, column), count in np.ndenumerate(matrix):
        text = f"{count:,}\n{shares[row, column]:.1%}" if roomy else f"{count:,}"
        colour = PAPER if shares[row, column] > 0.55 else INK
        size = 9.5 if roomy else 7
        axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)


def _legend(axes: Axes, handles: Sequence[Artist], names: list[str]) -> None:
    axes.legend(handles, names, fontsize=8.5, labelcolor=INK, frameon=False, loc="best")


def _head(figure: Figure, title: str, colours: dict[str, str]) -> None:
    """The title and the classes' colours, above the plot where they hide nothing."""
    columns = min(len(colours), 2 if len(colours) == 4 else 3)
    squares = [Patch(color=colour) for colour in colours.values()]
    legend = figure.legend(
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
    legend.get_title().set_color(INK)
    _as_written([legend.get_title(), *legend.get_texts()])

"""The plots of a table: class balance, distributions, correlations and missing values.

They show no customer: no category and no end of an axis is of fewer than `MIN_CUSTOMERS`.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from numpy.typing import NDArray
from pandas.api.types import is_any_real_numeric_dtype

from terna.training.identifiers import MIN_CUSTOMERS, shared_values
from terna.training.job import MAX_CLASSES
from terna.training.plots import style

MAX_CATEGORIES_DRAWN = 12
MAX_COLUMNS_DRAWN = 50
TOO_LARGE_TO_DRAW = 1e300  # infinity, and what some files write for a missing value


def class_balance(target: pd.Series) -> Figure:
    """Draw how many rows each class has, the most frequent first, and at most 50 classes.

    target: (rows,) of any type; missing values are left out.
    """
    counts = as_classes(target).value_counts(sort=False)
    shown = counts.head(MAX_CLASSES)
    figure, axes = style.single_plot(6.4, style.height_of_bars(len(shown)))
    axes.barh(
        range(len(shown)), shown, color=style.bar_colours(len(counts), len(shown)), height=0.7
    )
    for row, count in enumerate(shown):
        note = f"  {count:,} ({count / counts.sum():.1%})"
        axes.text(count, row, note, va="center", fontsize=8.5, color=style.SOFT)
    style.label_rows(axes, [style.label(name) for name in shown.index])
    axes.set(xlabel="rows", ylabel="class", xlim=(0, shown.max() * 1.22))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=style.ROUND_STEPS))
    axes.xaxis.set_major_formatter(style.THOUSANDS)
    return figure


def distributions(table: pd.DataFrame, target: pd.Series) -> list[Figure]:
    """Draw the values of each column by class: one figure a column, in the table's order.

    table: (rows, features); target: (rows,) in the same order.
    """
    classes = _group_rare_classes(as_classes(target.reset_index(drop=True)))
    columns = table.reset_index(drop=True).items()
    return [_distribution(column, classes) for _, column in columns]


def correlations(table: pd.DataFrame) -> Figure | None:
    """Draw a heat map of Spearman's correlations between the numeric columns that vary.

    table: (rows, columns). None when fewer than two numeric columns vary.
    """
    ranks = spearman(table)
    if len(ranks) < 2:
        return None
    # The lower triangle only: the upper one repeats it, and the diagonal is 1.
    below = ranks.to_numpy()[1:, :-1]
    cells = np.ma.masked_invalid(np.where(np.tri(len(below)) > 0, below, np.nan))
    side = (
        2.6
        + 0.42 * min(len(ranks), style.MAX_ANNOTATED_CELLS)
        + 0.13 * _unannotated_columns(len(ranks))
    )
    figure, axes = style.single_plot(side + 0.7, side)
    image = axes.imshow(cells, cmap=style.DIVERGING, vmin=-1, vmax=1, aspect="auto")
    bar = figure.colorbar(image, ax=axes, shrink=0.6, label="Spearman's rank correlation")
    style.style_colorbar(bar.ax)
    if len(ranks) <= style.MAX_ANNOTATED_CELLS:
        style.annotate_cells(axes, cells, dark_beyond=0.6)
    names = [style.label(name, 30) for name in ranks.columns]
    style.label_grid(axes, rows=names[1:], columns=names[:-1])
    return figure


def missing(table: pd.DataFrame) -> Figure | None:
    """Draw the share of missing values of the columns that have any, at most 50.

    table: (rows, columns). None when nothing is missing.
    """
    shares = table.isna().mean()
    shares = shares[shares > 0].sort_values(ascending=False, kind="stable")
    if shares.empty:
        return None
    shown = shares.head(MAX_COLUMNS_DRAWN)
    figure, axes = style.single_plot(6.4, style.height_of_bars(len(shown)))
    axes.barh(range(len(shown)), shown, color=style.BLUE, height=0.7)
    for row, share in enumerate(shown):
        axes.text(
            share,
            row,
            f"  {style.format_share(share)}",
            va="center",
            fontsize=8.5,
            color=style.SOFT,
        )
    style.label_rows(axes, [style.label(name) for name in shown.index])
    axes.set(xlabel=_label_with_count("share of rows missing", shown, shares), ylabel="column")
    axes.set_xlim(0, min(shown.max() * 1.15, 1.12))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=style.ROUND_STEPS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share * 100:g}%"))
    return figure


def as_classes(target: pd.Series) -> pd.Series:
    """Convert the target to categories of text, the most frequent first, and drop missing ones.

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
    """Compute Spearman's correlations between the numeric columns that vary: a square table.

    table: (rows, columns). Each column is ranked among its known values, and a pair is compared
    over the rows where both are known. NaN: there are no such rows, or they do not vary.
    """
    ranks = _varying_numbers(table).rank()
    known = ranks.notna().to_numpy(dtype="float64")
    values = (ranks - ranks.mean()).fillna(0.0).to_numpy(dtype="float64")
    # The same arithmetic as in pandas, for all pairs at once: pair by pair, hundreds of columns
    # take minutes.
    with np.errstate(invalid="ignore", divide="ignore"):
        shared = known.T @ known
        sums = values.T @ known
        products = values.T @ values - sums * sums.T / shared
        spread = (values**2).T @ known - sums**2 / shared
        spread[spread < 1e-6] = np.nan
        pairs = products / np.sqrt(spread * spread.T)
    return pd.DataFrame(pairs.clip(-1, 1), index=ranks.columns, columns=ranks.columns)


def _distribution(column: pd.Series, classes: pd.Series) -> Figure:
    figure, axes = style.single_plot(3.7, 2.9)
    colours = style.class_colours(classes.cat.categories.to_list())
    if is_any_real_numeric_dtype(column.dtype):
        _draw_histograms(axes, column, classes, colours)
    else:
        _draw_shares(axes, column, classes, colours)
    style.add_title_and_legend(figure, style.label(column.name, 38), colours)
    return figure


def _draw_histograms(
    axes: Axes, column: pd.Series, classes: pd.Series, colours: dict[str, str]
) -> None:
    values = _finite(column)
    axes.set(xlabel="value", ylabel="density")
    inner = np.sort(values.to_numpy())[MIN_CUSTOMERS:-MIN_CUSTOMERS]
    if not inner.size:
        style.mark_empty(axes)
        return
    edges = _bin_edges(inner)
    for name, group in values.groupby(classes.reindex(values.index), observed=True):
        # Divided by the whole class: values beyond the axis must not make the others higher.
        heights = np.histogram(group, edges)[0] / (len(group) * np.diff(edges))
        if len(colours) <= 3:
            axes.stairs(heights, edges, fill=True, color=colours[name], alpha=0.25)
        axes.stairs(heights, edges, color=colours[name], linewidth=1.4)
    axes.set(xlim=(edges[0], edges[-1]), xlabel=_value_axis_label(column, values, edges))
    whole = bool((values % 1 == 0).all())
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=whole, steps=style.ROUND_STEPS))
    axes.xaxis.set_major_formatter(style.THOUSANDS)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=style.ROUND_STEPS))


def _draw_shares(
    axes: Axes, column: pd.Series, classes: pd.Series, colours: dict[str, str]
) -> None:
    shares, counts = _shares_by_category(_group_rare_categories(column), classes)
    start = np.zeros(len(shares))
    for name, colour in colours.items():
        axes.barh(range(len(shares)), shares[name], left=start, color=colour, height=0.74)
        start = start + shares[name].to_numpy()
    style.label_rows(
        axes, [f"{style.label(name, 20)}  {count:,}" for name, count in counts.items()]
    )
    axes.tick_params(axis="y", labelsize=8.5 if len(shares) < 8 else 7)
    axes.set(xlabel="share of each class", xlim=(0, 1))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(visible=False)


def _shares_by_category(
    categories: pd.Series, classes: pd.Series
) -> tuple[pd.DataFrame, "pd.Series[int]"]:
    """Return the shares of each class (categories, classes) and the rows of each category.

    "all rows" is the first category.
    """
    counts = pd.crosstab(categories, classes, dropna=False)
    counts = pd.concat([counts.sum().to_frame("all rows").T, counts])
    rows = counts.sum(axis=1)
    return counts.div(rows.clip(lower=1), axis=0), rows


def _group_rare_categories(column: pd.Series) -> pd.Series:
    """Reduce a column to at most 12 named categories, "other" and "missing", in this order.

    A category of few customers is never named: a plot is no place for a customer's name.
    """
    text = column.astype("str")
    named = shared_values(text.dropna()).head(MAX_CATEGORIES_DRAWN).index.to_list()
    other = f"other ({text.nunique() - len(named):,})"
    order = list(dict.fromkeys([*named, other, "missing"]))
    folded = text.where(text.isin(named) | text.isna(), other).fillna("missing")
    return folded.astype(pd.CategoricalDtype(order)).cat.remove_unused_categories()


def _group_rare_classes(classes: pd.Series) -> pd.Series:
    """Keep as many classes as there are colours; beyond them, the first six and the others."""
    names = classes.cat.categories.to_list()
    if len(names) <= len(style.COLOURS):
        return classes
    named = names[: len(style.COLOURS) - 1]
    other = f"{len(names) - len(named)} others"
    folded = classes.astype("str").where(classes.isin(named), other)
    return folded.astype(pd.CategoricalDtype(list(dict.fromkeys([*named, other]))))


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


def _bin_edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edges of 8 to 40 equal bins over the range that holds nearly all values."""
    low, high = _visible_range(values)
    bins = int(np.clip(np.sqrt(len(values)), 8, 30))
    whole = (values % 1 == 0).all()
    edges = _whole_number_edges(low, high, bins + 10) if whole else np.linspace(low, high, bins + 1)
    return np.unique(edges)  # numbers beyond 2^53 have no room for a bin of width 1


def _whole_number_edges(low: float, high: float, most: int) -> NDArray[np.float64]:
    """Return edges of whole width; others would put more whole numbers into some bins."""
    low, high = float(np.floor(low)), float(np.ceil(high))
    width = float(np.ceil((high - low + 1) / most))
    return low - 0.5 + width * np.arange((high - low) // width + 2)


def _visible_range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the range to draw: all of it, or the middle 99% when the rest would squeeze it."""
    low, most_low, most_high, high = np.quantile(values, [0, 0.005, 0.995, 1])
    if most_low < most_high and high - low > 2.5 * (most_high - most_low):
        return _round_outwards(float(most_low), float(most_high))
    margin = 0.0 if low < high else max(0.5, abs(low) * 1e-9)
    return _round_outwards(float(low - margin), float(high + margin))


def _round_outwards(low: float, high: float) -> tuple[float, float]:
    """Return a range around this one, whose ends are no customer's numbers to the last digit."""
    step = 10.0 ** (np.floor(np.log10(high - low)) - 1)
    return float(np.floor(low / step) * step), float(np.ceil(high / step) * step)


def _value_axis_label(column: pd.Series, values: pd.Series, edges: NDArray[np.float64]) -> str:
    beyond = ((values < edges[0]) | (values > edges[-1])).mean()
    left_out = 1 - len(values) / len(column)
    notes = [
        f"{style.format_share(beyond)} beyond the axis" if beyond > 0 else "",
        f"{style.format_share(left_out)} missing" if left_out > 0 else "",
    ]
    return " · ".join(["value", *filter(None, notes)])


def _unannotated_columns(columns: int) -> int:
    return max(0, min(columns, 60) - style.MAX_ANNOTATED_CELLS)


def _label_with_count(text: str, shown: pd.Series, everything: pd.Series) -> str:
    cut = len(shown) < len(everything)
    return f"{text} (the {len(shown)} highest of {len(everything):,} columns)" if cut else text

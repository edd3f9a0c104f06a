"""The plots of a table show every class and column as they are, and no customer."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from terna.training.plots import style
from terna.training.plots import table as plots
from tests.unit.training.plots.drawn import ROWS, axes_of, bars, churn, texts_of

RANDOM = np.random.default_rng(7)


def only_axes(figures: list[Figure]) -> Axes:
    assert len(figures) == 1
    return figures[0].axes[0]


def row_labels(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.get_yticklabels()]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def outlines(axes: Axes) -> list[StepPatch]:
    return [
        patch for patch in axes.patches if isinstance(patch, StepPatch) and not patch.get_fill()
    ]


def area(outline: StepPatch) -> float:
    heights, edges, _ = outline.get_data()
    return float(np.sum(heights * np.diff(edges)))


def test_class_balance_shows_count_and_share_most_frequent_class_first() -> None:
    axes = axes_of(plots.class_balance(churn()))
    assert row_labels(axes) == ["no", "yes"]
    assert [text.strip() for text in texts_of(axes)] == ["450 (75.0%)", "150 (25.0%)"]
    assert axes.yaxis_inverted()


def test_class_balance_ignores_rows_without_target() -> None:
    axes = axes_of(plots.class_balance(pd.Series(["a", "a", "a", "b", None, None])))
    assert [text.strip() for text in texts_of(axes)] == ["3 (75.0%)", "1 (25.0%)"]


@pytest.mark.parametrize(
    "target",
    [
        pd.Series([True, False, True]),
        pd.Series([1, 0, 1], dtype="Int64"),
        pd.Series(["x", "y", "x"], dtype="object"),
        pd.Series(["x", "y", "x"], dtype="str"),
        pd.Series(["x", "y", "x"], dtype="category"),
    ],
    ids=lambda target: str(target.dtype),
)
def test_class_balance_accepts_target_of_any_type(target: pd.Series) -> None:
    assert len(row_labels(axes_of(plots.class_balance(target)))) == 2


def test_class_has_same_colour_in_balance_and_distributions() -> None:
    target = churn()
    balance = [bar.get_facecolor() for bar in bars(axes_of(plots.class_balance(target)))]
    distribution = only_axes(
        plots.distributions(pd.DataFrame({"age": RANDOM.normal(size=ROWS)}), target)
    )
    assert [outline.get_edgecolor() for outline in outlines(distribution)] == balance


def test_distributions_keep_the_order_of_the_columns() -> None:
    table = pd.DataFrame({"b": RANDOM.normal(size=ROWS), "a": churn(), "c": 1})
    figures = plots.distributions(table, churn())
    assert [figure.legends[0].get_title().get_text() for figure in figures] == ["b", "a", "c"]


def test_histograms_of_all_classes_have_same_area() -> None:
    table = pd.DataFrame({"minutes": RANDOM.normal(200, 50, size=ROWS).round(-1)})
    drawn = outlines(only_axes(plots.distributions(table, churn())))
    assert [area(outline) for outline in drawn] == pytest.approx([1, 1], abs=20 / 150)


def test_axis_ends_where_ten_customers_are_beyond_it_and_at_a_round_number() -> None:
    minutes = np.sort(RANDOM.normal(200, 50, size=ROWS))
    axes = only_axes(plots.distributions(pd.DataFrame({"minutes": minutes}), churn()))
    low, high = axes.get_xlim()
    assert minutes[0] < low <= minutes[10]
    assert minutes[-11] <= high < minutes[-1]
    assert (low % 10, high % 10) == (0, 0)
    assert "beyond the axis" in axes.get_xlabel()


def test_histogram_of_few_numbers_is_empty() -> None:
    axes = only_axes(plots.distributions(pd.DataFrame({"minutes": np.arange(20) / 3}), churn(20)))
    assert texts_of(axes) == ["too few values"]


def test_histogram_ignores_missing_and_infinite_numbers() -> None:
    minutes = pd.Series([1.5, np.nan, 2.5, np.inf] * (ROWS // 4))
    target = pd.Series(["no", "yes", "yes", "no"] * (ROWS // 4))
    axes = only_axes(plots.distributions(pd.DataFrame({"minutes": minutes}), target))
    assert [area(outline) for outline in outlines(axes)] == pytest.approx([1, 1])
    assert axes.get_xlim() == pytest.approx((1.5, 2.5))
    assert "50.0% missing" in axes.get_xlabel()


def test_whole_numbers_have_bins_of_equal_whole_width() -> None:
    table = pd.DataFrame({"calls": np.arange(ROWS) % 163})
    edges = outlines(only_axes(plots.distributions(table, churn())))[0].get_data()[1]
    widths = {float(right - left) for left, right in pairwise(edges)}
    assert len(widths) == 1
    assert widths.pop() % 1 == 0


def test_outliers_are_cut_off_and_mentioned() -> None:
    minutes = RANDOM.normal(100, 10, size=1000)
    minutes[:2] = 1e6
    axes = only_axes(plots.distributions(pd.DataFrame({"minutes": minutes}), churn(1000)))
    assert axes.get_xlim()[1] < 200
    assert "beyond the axis" in axes.get_xlabel()


def test_shares_of_classes_in_category_add_up_to_one() -> None:
    plan = pd.Series(np.where(np.arange(ROWS) % 8 == 0, "gold", "basic"))
    axes = only_axes(plots.distributions(pd.DataFrame({"plan": plan}), churn()))
    assert row_labels(axes) == ["all rows  600", "basic  525", "gold  75"]
    widths = np.array([bar.get_width() for bar in bars(axes)]).reshape(2, 3)
    assert widths.sum(axis=0) == pytest.approx([1, 1, 1])
    assert widths[:, 2] == pytest.approx([0, 1])  # every eighth row is gold and churned


def test_more_than_12_categories_are_grouped() -> None:
    state = pd.Series([f"state {row % 20}" for row in range(ROWS)]).mask(np.arange(ROWS) < 5)
    names = row_labels(only_axes(plots.distributions(pd.DataFrame({"state": state}), churn())))
    assert len(names) == 1 + plots.MAX_CATEGORIES_DRAWN + 2
    assert names[-2].startswith("other (8)")
    assert names[-1] == "missing  5"


def test_category_of_fewer_than_ten_customers_is_not_named() -> None:
    names = [*["basic"] * 11, *["gold"] * 10, *["Ada Lovelace"] * 9, "Alan Turing"]
    axes = only_axes(plots.distributions(pd.DataFrame({"note": names}), churn(31)))
    assert row_labels(axes) == ["all rows  31", "basic  11", "gold  10", "other (2)  10"]


def test_more_classes_than_colours_are_grouped() -> None:
    target = pd.Series([f"class {row % 50}" for row in range(ROWS)])
    figures = plots.distributions(pd.DataFrame({"age": RANDOM.normal(size=ROWS)}), target)
    assert len(legend(figures[0])) == len(style.COLOURS)
    assert legend(figures[0])[-1] == "44 others"


def test_distributions_match_rows_by_position_not_index() -> None:
    table = pd.DataFrame({"plan": churn()}).set_axis([0] * ROWS)
    target = churn().set_axis(range(ROWS, 0, -1))
    axes = only_axes(plots.distributions(table, target))
    assert [bar.get_width() for bar in bars(axes)] == pytest.approx([0.75, 1, 0, 0.25, 0, 1])


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([np.nan] * 6),
        pd.Series([None] * 6, dtype="object"),
        pd.Series([3] * 6),
        pd.Series([1e17] * 6),
        pd.Series([True, False, None] * 2, dtype="boolean"),
        pd.Series([1.5, None, 2.5] * 2, dtype="Float64"),
        pd.Series(pd.date_range("2026-01-01", periods=6)),
        pd.Series([1, "1", None, [2], {}, 3.5], dtype="object"),
    ],
    ids=["empty", "nothing", "constant", "huge", "boolean", "nullable", "dates", "mixed"],
)
def test_distributions_draw_unusual_columns(column: pd.Series) -> None:
    (figure,) = plots.distributions(pd.DataFrame({"odd": column}), churn(6))
    assert style.png(figure)


def test_correlations_of_few_columns_are_annotated() -> None:
    minutes = RANDOM.normal(size=ROWS)
    table = pd.DataFrame({"minutes": minutes, "charge": minutes**3, "calls": -minutes})
    assert texts_of(axes_of(plots.correlations(table))) == ["1.00", "-1.00", "-1.00"]


def test_correlations_of_more_than_20_columns_are_not_annotated() -> None:
    table = pd.DataFrame(RANDOM.normal(size=(50, 21)))
    assert texts_of(axes_of(plots.correlations(table))) == []
    assert len(texts_of(axes_of(plots.correlations(table[range(20)])))) == 190


def test_correlations_ignore_text_booleans_and_constants() -> None:
    table = pd.DataFrame({"a": RANDOM.normal(size=ROWS), "b": RANDOM.normal(size=ROWS)})
    odd = table.assign(text=churn(), flag=churn() == "yes", constant=1, empty=np.nan)
    assert row_labels(axes_of(plots.correlations(odd))) == ["b"]


def test_correlations_of_fewer_than_two_columns_are_not_drawn() -> None:
    assert plots.correlations(pd.DataFrame({"a": [1, 2, 3], "b": 1, "c": list("xyz")})) is None


def test_spearman_equals_pandas() -> None:
    table = pd.DataFrame(RANDOM.normal(size=(200, 5))).round(1)
    pd.testing.assert_frame_equal(plots.spearman(table), table.corr(method="spearman"))


def test_spearman_compares_rows_where_both_are_known() -> None:
    table = pd.DataFrame({"a": [1, 2, 3, 4, np.nan], "b": [10, 20, 30, np.nan, 5]})
    assert plots.spearman(table).loc["a", "b"] == pytest.approx(1)
    apart = pd.DataFrame({"a": [1, 2, np.nan, np.nan], "b": [np.nan, np.nan, 1, 2]})
    assert np.isnan(plots.spearman(apart).to_numpy()[0, 1])


def test_missing_shows_columns_with_gaps_highest_share_first() -> None:
    table = pd.DataFrame({"full": [1] * 4, "some": [1, 1, 1, None], "most": [None, None, None, 1]})
    axes = axes_of(plots.missing(table))
    assert row_labels(axes) == ["most", "some"]
    assert [text.strip() for text in texts_of(axes)] == ["75.0%", "25.0%"]


def test_missing_is_not_drawn_without_gaps() -> None:
    assert plots.missing(pd.DataFrame({"a": [1, 2], "b": ["x", ""]})) is None


def test_class_starting_with_underscore_is_in_legend() -> None:
    figures = plots.distributions(pd.DataFrame({"a": [1, 2]}), pd.Series(["_yes", "no"]))
    assert legend(figures[0]) == ["_yes", "no"]


def test_classes_of_sample_keep_their_order_and_colours() -> None:
    classes = plots.as_classes(pd.Series(["yes", "no"] * 20_000))
    assert classes.sample(500, random_state=3).cat.categories.to_list() == ["yes", "no"]

"""What a person may expect of the plots that describe a table."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from terna.training.plots import style
from terna.training.plots import table as plots
from tests.unit.training.plots.drawn import ROWS, axes_of, bars, churn, written

SOME = np.random.default_rng(7)


def only(figures: list[Figure]) -> Axes:
    assert len(figures) == 1
    return figures[0].axes[0]


def row_names(axes: Axes) -> list[str]:
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


def test_class_balance_puts_the_most_frequent_class_on_top_with_its_count_and_share() -> None:
    axes = axes_of(plots.class_balance(churn()))
    assert row_names(axes) == ["no", "yes"]
    assert [text.strip() for text in written(axes)] == ["450 (75.0%)", "150 (25.0%)"]
    assert axes.yaxis_inverted()


def test_class_balance_leaves_rows_without_a_target_out_of_the_shares() -> None:
    axes = axes_of(plots.class_balance(pd.Series(["a", "a", "a", "b", None, None])))
    assert [text.strip() for text in written(axes)] == ["3 (75.0%)", "1 (25.0%)"]


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
def test_class_balance_takes_a_target_of_any_type(target: pd.Series) -> None:
    assert len(row_names(axes_of(plots.class_balance(target)))) == 2


def test_a_class_has_the_same_colour_in_the_balance_and_in_the_distributions() -> None:
    target = churn()
    balance = [bar.get_facecolor() for bar in bars(axes_of(plots.class_balance(target)))]
    distribution = only(plots.distributions(pd.DataFrame({"age": SOME.normal(size=ROWS)}), target))
    assert [outline.get_edgecolor() for outline in outlines(distribution)] == balance


def test_distributions_draws_every_column_in_the_order_of_the_table() -> None:
    table = pd.DataFrame({"b": SOME.normal(size=ROWS), "a": churn(), "c": 1})
    figures = plots.distributions(table, churn())
    assert [figure.legends[0].get_title().get_text() for figure in figures] == ["b", "a", "c"]


def test_a_rare_class_fills_as_much_of_a_histogram_as_a_frequent_one() -> None:
    table = pd.DataFrame({"minutes": SOME.normal(200, 50, size=ROWS)})
    drawn = outlines(only(plots.distributions(table, churn())))
    assert [area(outline) for outline in drawn] == pytest.approx([1, 1])


def test_missing_and_infinite_numbers_are_left_out_of_a_histogram() -> None:
    minutes = pd.Series([1.5, np.nan, 2.5, np.inf] * (ROWS // 4))
    target = pd.Series(["no", "yes", "yes", "no"] * (ROWS // 4))
    axes = only(plots.distributions(pd.DataFrame({"minutes": minutes}), target))
    assert [area(outline) for outline in outlines(axes)] == pytest.approx([1, 1])
    assert axes.get_xlim() == pytest.approx((1.5, 2.5))
    assert "50.0% missing" in axes.get_xlabel()


def test_whole_numbers_get_bins_of_equal_whole_width() -> None:
    table = pd.DataFrame({"calls": np.arange(ROWS) % 163})
    edges = outlines(only(plots.distributions(table, churn())))[0].get_data()[1]
    widths = {float(right - left) for left, right in pairwise(edges)}
    assert len(widths) == 1
    assert widths.pop() % 1 == 0


def test_a_few_extreme_values_do_not_squeeze_the_histogram_and_are_mentioned() -> None:
    minutes = SOME.normal(100, 10, size=1000)
    minutes[:2] = 1e6
    axes = only(plots.distributions(pd.DataFrame({"minutes": minutes}), churn(1000)))
    assert axes.get_xlim()[1] < 200
    assert "beyond the axis" in axes.get_xlabel()


def test_each_category_is_split_into_shares_of_the_classes_that_add_up_to_one() -> None:
    plan = pd.Series(np.where(np.arange(ROWS) % 8 == 0, "gold", "basic"))
    axes = only(plots.distributions(pd.DataFrame({"plan": plan}), churn()))
    assert row_names(axes) == ["all rows  600", "basic  525", "gold  75"]
    widths = np.array([bar.get_width() for bar in bars(axes)]).reshape(2, 3)
    assert widths.sum(axis=0) == pytest.approx([1, 1, 1])
    assert widths[:, 2] == pytest.approx([0, 1])  # every eighth row is gold and churned


def test_categories_beyond_twelve_are_other_and_missing_ones_are_missing() -> None:
    state = pd.Series([f"state {row % 20}" for row in range(ROWS)]).mask(np.arange(ROWS) < 5)
    names = row_names(only(plots.distributions(pd.DataFrame({"state": state}), churn())))
    assert len(names) == 1 + plots.CATEGORIES_NAMED + 2
    assert names[-2].startswith("other (8)")
    assert names[-1] == "missing  5"


def test_a_value_that_occurs_once_is_never_named_in_a_plot() -> None:
    person = pd.Series(["basic", "basic", "gold", "gold", "Ada Lovelace", "Alan Turing"])
    axes = only(plots.distributions(pd.DataFrame({"note": person}), churn(6)))
    assert row_names(axes) == ["all rows  6", "basic  2", "gold  2", "other (2)  2"]


def test_fifty_classes_are_folded_into_those_that_colours_can_tell_apart() -> None:
    target = pd.Series([f"class {row % 50}" for row in range(ROWS)])
    figures = plots.distributions(pd.DataFrame({"age": SOME.normal(size=ROWS)}), target)
    assert len(legend(figures[0])) == len(style.COLOURS)
    assert legend(figures[0])[-1] == "44 others"


def test_distributions_match_rows_by_position_even_when_the_index_repeats() -> None:
    table = pd.DataFrame({"plan": churn()}).set_axis([0] * ROWS)
    target = churn().set_axis(range(ROWS, 0, -1))
    axes = only(plots.distributions(table, target))
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
def test_distributions_draws_columns_that_are_out_of_the_ordinary(column: pd.Series) -> None:
    (figure,) = plots.distributions(pd.DataFrame({"odd": column}), churn(6))
    assert style.png(figure)


def test_correlations_writes_a_figure_in_each_cell_of_a_small_table() -> None:
    minutes = SOME.normal(size=ROWS)
    table = pd.DataFrame({"minutes": minutes, "charge": minutes**3, "calls": -minutes})
    assert written(axes_of(plots.correlations(table))) == ["1.00", "-1.00", "-1.00"]


def test_correlations_of_more_than_twenty_columns_are_told_by_colour_alone() -> None:
    table = pd.DataFrame(SOME.normal(size=(50, 21)))
    assert written(axes_of(plots.correlations(table))) == []
    assert len(written(axes_of(plots.correlations(table[range(20)])))) == 190


def test_correlations_leaves_out_text_flags_and_columns_that_do_not_vary() -> None:
    table = pd.DataFrame({"a": SOME.normal(size=ROWS), "b": SOME.normal(size=ROWS)})
    odd = table.assign(text=churn(), flag=churn() == "yes", constant=1, empty=np.nan)
    assert row_names(axes_of(plots.correlations(odd))) == ["b"]


def test_there_is_no_heat_map_when_fewer_than_two_numbers_vary() -> None:
    assert plots.correlations(pd.DataFrame({"a": [1, 2, 3], "b": 1, "c": list("xyz")})) is None


def test_spearman_agrees_with_pandas() -> None:
    table = pd.DataFrame(SOME.normal(size=(200, 5))).round(1)
    pd.testing.assert_frame_equal(plots.spearman(table), table.corr(method="spearman"))


def test_spearman_compares_a_pair_over_the_rows_that_both_columns_know() -> None:
    table = pd.DataFrame({"a": [1, 2, 3, 4, np.nan], "b": [10, 20, 30, np.nan, 5]})
    assert plots.spearman(table).loc["a", "b"] == pytest.approx(1)
    apart = pd.DataFrame({"a": [1, 2, np.nan, np.nan], "b": [np.nan, np.nan, 1, 2]})
    assert np.isnan(plots.spearman(apart).to_numpy()[0, 1])


def test_missing_shows_only_columns_that_miss_values_the_worst_first() -> None:
    table = pd.DataFrame({"full": [1] * 4, "some": [1, 1, 1, None], "most": [None, None, None, 1]})
    axes = axes_of(plots.missing(table))
    assert row_names(axes) == ["most", "some"]
    assert [text.strip() for text in written(axes)] == ["75.0%", "25.0%"]


def test_nothing_is_drawn_when_nothing_is_missing() -> None:
    assert plots.missing(pd.DataFrame({"a": [1, 2], "b": ["x", ""]})) is None


def test_a_class_whose_name_starts_with_an_underscore_is_in_the_legend() -> None:
    figures = plots.distributions(pd.DataFrame({"a": [1, 2]}), pd.Series(["_yes", "no"]))
    assert legend(figures[0]) == ["_yes", "no"]

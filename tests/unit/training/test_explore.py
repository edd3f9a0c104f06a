"""What a person may expect of the page that describes a table."""

import re
from base64 import b64decode
from functools import cache
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest

from terna.errors import DataError
from terna.training import explore
from terna.training.plots import style
from terna.training.plots import table as plots

CHANCE = np.random.default_rng(11)
ROWS = 400


class Page(HTMLParser):
    """The page as a reader sees it: text, tags with their attributes, and the feature table."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def pictures(self) -> list[str]:
        return [attributes["alt"] or "" for tag, attributes in self.tags if tag == "img"]

    @property
    def features(self) -> list[str]:
        return [line.split(" ")[0] for line in self.lines]

    @property
    def lines(self) -> list[str]:
        """The feature table's lines, as text."""
        body = self.html.split("<tbody>")[1].split("</tbody>")[0]
        return [Page(row).text for row in body.split("<tr>")[1:]]

    def section(self, anchor: str) -> str:
        return Page(self.html.split(f'<section id="{anchor}">')[1].split("</section>")[0]).text

    def remark(self, topic: str) -> str:
        (remark,) = [each for each in self.html.split("<li>") if f"<b>{topic}." in each]
        return Page(remark.split("</li>")[0]).text

    def line(self, feature: str) -> str:
        (line,) = [line for line in self.lines if line.startswith(f"{feature} ")]
        return line


def page(table: pd.DataFrame, target: str = "churn") -> Page:
    return Page(explore.render("Customers", "customers.csv", table, target))


def customers(rows: int = ROWS) -> pd.DataFrame:
    chance = np.random.default_rng(5)
    churn = np.where(np.arange(rows) % 4 == 0, "yes", "no")
    return pd.DataFrame(
        {
            "noise": chance.normal(size=rows),
            "minutes": chance.normal(size=rows) + 3.0 * (churn == "yes"),
            "plan": chance.choice(["basic", "gold", "silver"], rows),
            "churn": churn,
        }
    )


@cache
def ordinary() -> Page:
    """The page of a table that nothing is wrong with."""
    return page(customers())


def test_the_page_loads_nothing_from_anywhere() -> None:
    shown = ordinary()
    assert "http:" not in shown.html.replace("http-equiv", "")
    assert "https:" not in shown.html
    assert not re.search(r"url\(|@import", shown.html)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in shown.tags}
    links = [attributes.get("href") or "" for tag, attributes in shown.tags if tag == "a"]
    assert all(link.startswith("#") for link in links)


def test_every_picture_is_a_png_inside_the_page_and_says_what_it_shows() -> None:
    images = [attributes for tag, attributes in ordinary().tags if tag == "img"]
    assert len(images) == 5  # balance, three features, correlations
    for attributes in images:
        head, data = (attributes["src"] or "").split(",")
        assert head == "data:image/png;base64"
        assert b64decode(data).startswith(b"\x89PNG")
        assert attributes["alt"]


def test_every_link_leads_to_a_section_of_the_page() -> None:
    shown = ordinary()
    anchors = {f"#{attributes.get('id')}" for tag, attributes in shown.tags if tag == "section"}
    assert {attributes["href"] for tag, attributes in shown.tags if tag == "a"} == anchors


def test_the_page_is_readable_in_light_and_in_dark() -> None:
    assert "prefers-color-scheme: dark" in ordinary().html


def test_the_facts_count_rows_columns_and_classes_and_say_where_the_table_came_from() -> None:
    text = ordinary().text
    assert "From customers.csv" in text
    assert "rows 400" in text
    assert "columns, target included 4" in text
    assert "classes 2" in text
    assert "no 300 · 75.0%" in text
    assert "yes 100 · 25.0%" in text


def test_names_and_categories_cannot_bring_markup_into_the_page() -> None:
    attack = '"><script>alert(1)</script>'
    table = customers().assign(plan=CHANCE.choice([attack, "gold"], ROWS))
    table["churn"] = table["churn"].replace("yes", attack)
    table = table.rename(columns={"minutes": attack, "churn": f"{attack}?"})
    html = explore.render(attack, attack, table, f"{attack}?")
    assert "<script" not in html
    assert "alert(1)" in html


def test_a_number_is_told_by_its_minimum_median_and_maximum() -> None:
    table = pd.DataFrame({"charge": [1.5, 2.5, 12000.0, None] * 10, "churn": ["a", "b"] * 20})
    assert page(table).line("charge").startswith("charge number 25.0% 3 1.5 2.5 12,000")


def test_a_text_is_told_by_its_most_frequent_categories() -> None:
    table = pd.DataFrame({"plan": ["gold"] * 10 + ["basic"] * 30, "churn": ["a", "b"] * 20})
    assert page(table).line("plan").startswith("plan text – 2 basic 75.0% gold 25.0%")


@pytest.mark.parametrize("kind", ["object", "str", "category"])
def test_a_text_is_a_text_in_every_way_pandas_keeps_it(kind: str) -> None:
    table = customers().astype({"plan": kind, "churn": kind})
    assert "plan text" in page(table).line("plan")


@pytest.mark.parametrize("kind", ["bool", "boolean"])
def test_a_flag_is_told_by_its_two_values(kind: str) -> None:
    table = customers().assign(flag=pd.Series([True, False] * (ROWS // 2), dtype=kind))
    assert {"True 50.0%", "False 50.0%"} <= set(re.findall(r"\w+ 50.0%", page(table).line("flag")))


def test_features_are_listed_and_drawn_by_how_strongly_they_relate_to_the_target() -> None:
    shown = ordinary()
    assert shown.features[0] == "minutes"
    assert shown.pictures[1] == "minutes by churn"
    assert "Theil's U" in shown.section("features")


def test_a_feature_that_is_the_target_relates_fully_and_noise_does_not() -> None:
    table = customers().assign(copy=lambda table: table["churn"] == "yes")
    shown = page(table)
    assert shown.line("copy").endswith(" 1.000")
    assert float(shown.line("noise").rsplit(" ", 1)[1]) < 0.05


def test_a_relation_that_is_not_monotonic_is_found() -> None:
    table = customers()
    table["extreme"] = CHANCE.normal(size=ROWS) * np.where(table["churn"] == "yes", 10.0, 0.1)
    assert float(page(table).line("extreme").rsplit(" ", 1)[1]) > 0.3


def test_missing_values_that_give_the_target_away_are_a_relation() -> None:
    table = customers()
    table["asked"] = table["noise"].where(table["churn"] == "yes")
    assert float(page(table).line("asked").rsplit(" ", 1)[1]) > 0.9


def test_an_identifier_does_not_look_related_to_the_target() -> None:
    table = customers().assign(mail=[f"customer{row}@example.org" for row in range(ROWS)])
    assert page(table).line("mail").endswith(" 0.000")


def test_a_text_of_many_rare_values_does_not_look_related_by_chance() -> None:
    table = customers().assign(street=[f"street {row * row % 397}" for row in range(ROWS)])
    assert float(page(table).line("street").rsplit(" ", 1)[1]) < 0.1


def test_no_customer_is_shown() -> None:
    table = customers().assign(
        name=[f"Ada Lovelace {row // 2}" if row % 7 else f"Alan {row}" for row in range(ROWS)],
        phone=4917012340000 + np.arange(ROWS),
        note=["none"] * (ROWS - 1) + ["call Grace Hopper"],
    )
    html = page(table).html
    assert not re.search("Lovelace|Alan|Grace", html)
    assert "4,917,012,34" not in html
    assert "49170123" not in html


def test_the_page_says_that_nothing_is_missing_or_shows_what_is() -> None:
    assert ordinary().section("missing") == "Missing values No value is missing."
    gaps = customers()
    gaps.loc[:9, "minutes"] = None
    assert "Share of missing values per column" in page(gaps).pictures


@pytest.mark.parametrize(
    ("column", "topic"),
    [
        ([7] * ROWS, "Constant"),
        ([None] * ROWS, "Empty"),
        ([1.5, 2.5, None, None] * (ROWS // 4), "Much is missing"),
        (list(range(ROWS)), "Looks like an identifier"),
        ([f"c-{row}" for row in range(ROWS)], "Looks like an identifier"),
        ([f"{row % 50}.5" for row in range(ROWS)], "Numbers written as text"),
        ([row % 4 == 0 for row in range(ROWS)], "Nearly gives the target away"),
    ],
)
def test_worth_knowing_names_the_column_that_deserves_a_look(column: list[Any], topic: str) -> None:
    assert f"{topic}." not in ordinary().section("worth-knowing")
    odd = pd.Series(column)
    assert re.search(r"[.?] odd\b", page(customers().assign(odd=odd)).remark(topic))


def test_worth_knowing_says_nothing_when_nothing_stands_out() -> None:
    assert ordinary().section("worth-knowing") == "Worth knowing Nothing stood out."


def test_worth_knowing_names_pairs_that_rise_or_fall_together() -> None:
    table = customers().assign(charge=lambda table: -2 * table["minutes"])
    remarks = page(table).section("worth-knowing")
    assert re.search(r"Nearly the same thing twice\..*(minutes & charge|charge & minutes)", remarks)
    assert "(-1.000)" in remarks
    assert "noise &" not in remarks


def test_worth_knowing_warns_of_strong_imbalance_and_rare_classes() -> None:
    table = customers().assign(churn=["yes"] * 5 + ["no"] * (ROWS - 5))
    remarks = page(table).section("worth-knowing")
    assert "no is 79.0 times as frequent as yes" in remarks
    assert "always answering no is right for 98.8%" in remarks
    assert "yes (5)" in remarks


def test_rows_without_a_target_are_left_out_and_counted() -> None:
    table = customers()
    table.loc[:99, "churn"] = None
    shown = page(table)
    assert "rows 300" in shown.text
    assert "100 rows have no value of churn" in shown.section("worth-knowing")


def test_fifty_classes_are_all_counted() -> None:
    table = customers(1000).assign(churn=[f"class {row % 50}" for row in range(1000)])
    text = page(table).text
    assert "classes 50" in text
    assert all(f"class {each} 20 · 2.0%" in text for each in range(50))


def test_a_target_that_is_a_measurement_is_questioned() -> None:
    table = customers().assign(churn=CHANCE.normal(size=ROWS))
    assert "a number to estimate" in page(table).section("worth-knowing")


def test_the_forty_most_related_of_many_features_are_drawn_and_the_page_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(style, "png", lambda _: b"")  # rendering forty takes seconds
    many = pd.DataFrame(CHANCE.normal(size=(ROWS, 60))).add_prefix("feature_")
    table = many.assign(churn=customers()["churn"], strong=customers()["minutes"])
    shown = page(table)
    drawn = [name for name in shown.pictures if name.endswith(" by churn")]
    assert drawn[0] == "strong by churn"
    assert len(drawn) == 40
    assert len(shown.features) == 61
    assert "40 most related features; 21 more are not drawn" in shown.section("distributions")


def test_a_long_table_is_drawn_from_a_sample_and_described_in_full() -> None:
    table = customers(50_000)
    table.loc[49_999, "minutes"] = 1e6
    shown = page(table)
    assert "Drawn from 20,000 of the 50,000 rows" in shown.section("distributions")
    assert "1,000,000" in shown.line("minutes")
    assert "Drawn from" not in ordinary().text


def test_the_same_table_gives_the_same_page() -> None:
    table = customers(21_000)
    assert page(table).html == page(table).html


def test_the_table_is_left_as_it_was() -> None:
    table = customers()
    before = table.copy(deep=True)
    page(table)
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_few_rows_are_enough_for_a_page(rows: int) -> None:
    assert f"rows {rows}" in page(customers(rows)).text


def test_a_table_of_nothing_but_a_target_says_so() -> None:
    text = page(customers()[["churn"]]).text
    assert "no column beside the target" in text
    assert "No feature varies enough" in text


def test_columns_that_are_out_of_the_ordinary_are_described_too() -> None:
    table = customers().assign(
        infinite=np.where(np.arange(ROWS) % 9 == 0, np.inf, CHANCE.normal(size=ROWS)),
        nullable=pd.array([1, None] * (ROWS // 2), dtype="Int64"),
        mixed=pd.Series([1, "1", None, [2]] * (ROWS // 4), dtype="object"),
        day=pd.date_range("2026-01-01", periods=ROWS),
    )
    table[7] = 1.0
    assert {"infinite", "nullable", "mixed", "day", "7"} <= set(page(table).features)


def test_an_index_that_repeats_changes_nothing() -> None:
    table = customers()
    assert page(table.set_axis([0] * ROWS)).html == page(table).html


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (customers().drop(columns="churn"), "no column 'churn'"),
        (customers().assign(churn=None), "no value in any row"),
        (customers().head(0), "no value in any row"),
        (customers().set_axis(["a", "a", "b", "churn"], axis=1), "called 'a'"),
    ],
    ids=["absent", "empty", "no rows", "twice"],
)
def test_a_table_that_cannot_be_explored_is_refused_in_words(table: pd.DataFrame, why: str) -> None:
    with pytest.raises(DataError, match=why):
        page(table)


def test_the_colours_of_the_page_do_not_depend_on_which_rows_were_sampled() -> None:
    table = customers(40_000).assign(churn=["yes", "no"] * 20_000)
    classes = plots.as_classes(table["churn"])
    assert classes.sample(500, random_state=3).cat.categories.to_list() == ["yes", "no"]

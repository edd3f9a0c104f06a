"""The HTML page that describes a table."""

import re
from base64 import b64decode
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from terna.errors import DataError
from terna.training.exploration import report
from terna.training.plots import style
from tests.unit.training.exploration.tables import ROWS, customers

RANDOM = np.random.default_rng(11)


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
    def images(self) -> list[str]:
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

    def finding(self, topic: str) -> str:
        (finding,) = [each for each in self.html.split("<li>") if f"<b>{topic}." in each]
        return Page(finding.split("</li>")[0]).text

    def line(self, feature: str) -> str:
        (line,) = [line for line in self.lines if line.startswith(f"{feature} ")]
        return line


def page(table: pd.DataFrame, target: str = "churn") -> Page:
    """Render the page of a table."""
    return Page(report.render("Customers", "customers.csv", table, target))


@pytest.fixture
def no_png(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the images empty: rendering them takes seconds."""
    monkeypatch.setattr(style, "png", lambda _: b"")


@cache
def ordinary() -> Page:
    """Render the page of a table that nothing is wrong with."""
    return page(customers())


def test_page_loads_nothing() -> None:
    shown = ordinary()
    assert "http:" not in shown.html.replace("http-equiv", "")
    assert "https:" not in shown.html
    assert not re.search(r"url\(|@import", shown.html)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in shown.tags}
    links = [attributes.get("href") or "" for tag, attributes in shown.tags if tag == "a"]
    assert all(link.startswith("#") for link in links)


def test_every_image_is_an_embedded_png_with_alt_text() -> None:
    images = [attributes for tag, attributes in ordinary().tags if tag == "img"]
    assert len(images) == 5  # balance, three features, correlations
    for attributes in images:
        head, data = (attributes["src"] or "").split(",")
        assert head == "data:image/png;base64"
        assert b64decode(data).startswith(b"\x89PNG")
        assert attributes["alt"]


def test_every_link_leads_to_a_section() -> None:
    shown = ordinary()
    anchors = {f"#{attributes.get('id')}" for tag, attributes in shown.tags if tag == "section"}
    assert {attributes["href"] for tag, attributes in shown.tags if tag == "a"} == anchors


def test_page_supports_dark_mode() -> None:
    assert "prefers-color-scheme: dark" in ordinary().html


def test_facts_show_source_rows_columns_and_classes() -> None:
    text = ordinary().text
    assert "From customers.csv" in text
    assert "rows 400" in text
    assert "columns, target included 4" in text
    assert "classes 2" in text
    assert "no 300 · 75.0%" in text
    assert "yes 100 · 25.0%" in text


def test_markup_in_names_and_categories_is_escaped() -> None:
    attack = '"><script>alert(1)</script>'
    table = customers().assign(plan=RANDOM.choice([attack, "gold"], ROWS))
    table["churn"] = table["churn"].replace("yes", attack)
    table = table.rename(columns={"minutes": attack, "churn": f"{attack}?"})
    html = report.render(attack, attack, table, f"{attack}?")
    assert "<script" not in html
    assert "alert(1)" in html


@pytest.mark.usefixtures("no_png")
def test_number_is_shown_with_low_median_and_high() -> None:
    table = pd.DataFrame({"charge": [1.5, 2.5, 12000.0, None] * 10, "churn": ["a", "b"] * 20})
    assert page(table).line("charge").startswith("charge number 25.0% 3 1.5 2.5 12,000")


@pytest.mark.usefixtures("no_png")
def test_text_is_shown_with_most_frequent_categories() -> None:
    table = pd.DataFrame({"plan": ["gold"] * 10 + ["basic"] * 30, "churn": ["a", "b"] * 20})
    assert page(table).line("plan").startswith("plan text – 2 basic 75.0% gold 25.0%")


@pytest.mark.usefixtures("no_png")
def test_relation_is_shown_with_three_digits() -> None:
    table = customers().assign(copy=lambda table: table["churn"] == "yes")
    assert page(table).line("copy").endswith(" 1.000")


def test_unusual_columns_are_shown() -> None:
    table = customers().assign(
        infinite=np.where(np.arange(ROWS) % 9 == 0, np.inf, RANDOM.normal(size=ROWS)),
        nullable=pd.array([1, None] * (ROWS // 2), dtype="Int64"),
        mixed=pd.Series([1, "1", None, [2]] * (ROWS // 4), dtype="object"),
        day=pd.date_range("2026-01-01", periods=ROWS),
    )
    table[7] = 1.0
    assert {"infinite", "nullable", "mixed", "day", "7"} <= set(page(table).features)


@pytest.mark.usefixtures("no_png")
def test_table_is_not_changed() -> None:
    table = customers()
    before = table.copy(deep=True)
    page(table)
    pd.testing.assert_frame_equal(table, before)


def test_features_are_sorted_by_relation_to_target() -> None:
    shown = ordinary()
    assert shown.features[0] == "minutes"
    assert shown.images[1] == "minutes by churn"
    assert "Theil's U" in shown.section("features")


@pytest.mark.usefixtures("no_png")
def test_rare_values_and_identifiers_are_not_shown() -> None:
    table = customers().assign(
        name=[f"Ada Lovelace {row // 2}" if row % 7 else f"Alan {row}" for row in range(ROWS)],
        phone=4917012340000 + np.arange(ROWS),
        note=["none"] * (ROWS - 9) + ["call Grace Hopper"] * 9,
        paid=[987654.25, *RANDOM.normal(size=ROWS - 1)],
    )
    html = page(table).html
    assert not re.search("Lovelace|Alan|Grace", html)
    assert "987" not in html
    assert "4,917,012,34" not in html
    assert "49170123" not in html


@pytest.mark.usefixtures("no_png")
def test_missing_values_are_drawn_only_when_there_are_any() -> None:
    assert page(customers()).section("missing") == "Missing values No value is missing."
    gaps = customers()
    gaps.loc[:9, "minutes"] = None
    assert "Share of missing values per column" in page(gaps).images


def test_ordinary_table_has_nothing_worth_knowing() -> None:
    assert ordinary().section("worth-knowing") == "Worth knowing Nothing stood out."


@pytest.mark.usefixtures("no_png")
def test_rows_without_target_are_left_out_and_counted() -> None:
    table = customers()
    table.loc[:99, "churn"] = None
    shown = page(table)
    assert "rows 300" in shown.text
    assert "100 rows have no value of churn" in shown.section("worth-knowing")


@pytest.mark.usefixtures("no_png")
def test_all_of_50_classes_are_counted() -> None:
    table = customers(1000).assign(churn=[f"class {row % 50}" for row in range(1000)])
    text = page(table).text
    assert "classes 50" in text
    assert all(f"class {each} 20 · 2.0%" in text for each in range(50))


@pytest.mark.usefixtures("no_png")
def test_only_the_40_most_related_features_are_drawn() -> None:
    many = pd.DataFrame(RANDOM.normal(size=(ROWS, 60))).add_prefix("feature_")
    table = many.assign(churn=customers()["churn"], strong=customers()["minutes"])
    shown = page(table)
    drawn = [name for name in shown.images if name.endswith(" by churn")]
    assert drawn[0] == "strong by churn"
    assert len(drawn) == 40
    assert len(shown.features) == 61
    assert "40 most related features; 21 more are not drawn" in shown.section("distributions")


@pytest.mark.usefixtures("no_png")
def test_large_table_is_drawn_from_a_sample_and_profiled_in_full() -> None:
    table = customers(50_000)
    table.loc[49_970:, "minutes"] = 1e6
    shown = page(table)
    assert "Drawn from 20,000 of the 50,000 rows" in shown.section("distributions")
    assert "1,000,000" in shown.line("minutes")
    assert "Drawn from" not in page(customers()).text


def test_same_table_gives_same_page() -> None:
    table = customers(21_000)[["minutes", "churn"]]
    assert page(table).html == page(table).html


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_few_rows_are_enough(rows: int) -> None:
    assert f"rows {rows}" in page(customers(rows)).text


def test_table_without_features_says_so() -> None:
    text = page(customers()[["churn"]]).text
    assert "no column beside the target" in text
    assert "No feature varies enough" in text


def test_duplicate_index_changes_nothing() -> None:
    table = customers()
    assert page(table.set_axis([0] * ROWS)).html == ordinary().html


@pytest.mark.usefixtures("no_png")
def test_findings_are_listed_with_topic_sentence_and_columns() -> None:
    shown = page(customers().assign(odd=7).drop(columns=["noise", "plan"]))
    assert "Worth knowing (1)" in shown.text
    finding = shown.finding("Constant")
    assert finding == "Constant. One value only: a model learns nothing from it. odd"
    assert "Constant." not in page(customers()).section("worth-knowing")


@pytest.mark.usefixtures("no_png")
def test_unknown_target_raises_data_error() -> None:
    with pytest.raises(DataError, match="no column 'left'"):
        page(customers(), "left")

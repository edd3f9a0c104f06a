"""What a person reads: tables in the terminal and in docs/benchmark.md, and plots."""

from pathlib import Path
from typing import Any

import pytest

from bench import facts, plots, tables
from bench.__main__ import PAGE
from bench.facts import Facts
from bench.run import Findings
from terna.errors import TernaError
from terna.training.plots import style
from tests.checkout import ROOT


@pytest.fixture
def told(findings: Findings, machine: dict[str, Any]) -> Facts:
    return facts.of(findings, machine)


def test_each_figure_has_a_line_with_its_goal(told: Facts) -> None:
    rows = {row[0]: row[1:] for row in tables.headline(told).rows}
    throughput = rows["answers a second at 16 connections, against mlflow models serve"]
    assert throughput == ("200 ×", "200 × – 400 ×", "≥ 300 ×")
    assert rows["server time for 1000 rows"] == ("6.2 ms", "6 ms – 7 ms", "≤ 10 ms")
    assert len(rows) == len(tables.GOALS)


def test_unknown_figure_says_why(findings: Findings, machine: dict[str, Any]) -> None:
    table = tables.headline(facts.of(findings, machine | {"cores": 2}))
    assert any(row[1] == "–" and "takes 4 cores" in row[2] for row in table.rows)


def test_tables_replace_only_what_is_between_the_markers_of_the_page(
    told: Facts, tmp_path: Path
) -> None:
    page = tmp_path / "benchmark.md"
    before = (ROOT / PAGE).read_text()
    page.write_text(before)
    tables.put_into(page, told)
    once = page.read_text()
    assert tables.markdown(tables.headline(told)) in once
    assert once.partition(tables.BEGIN)[0] == before.partition(tables.BEGIN)[0]
    assert once.partition(tables.END)[2] == before.partition(tables.END)[2]
    tables.put_into(page, told)
    assert page.read_text() == once


def test_page_without_markers_is_left_alone(told: Facts, tmp_path: Path) -> None:
    page = tmp_path / "benchmark.md"
    page.write_text("# Terna\n")
    with pytest.raises(TernaError, match="no place"):
        tables.put_into(page, told)
    assert page.read_text() == "# Terna\n"


def test_models_are_told_with_the_memory_of_all_their_processes(told: Facts) -> None:
    assert [row[-1] for row in tables.growth("models", told).rows] == ["201 MB", "202 MB"]
    assert [row[-1] for row in tables.growth("columns", told).rows] == ["112 MB", "200 MB"]


def test_every_table_of_sizes_has_a_plot(told: Facts) -> None:
    figures = plots.drawn(told)
    assert set(figures) == {"throughput", *told["growth"]}
    assert all(style.png(figure).startswith(b"\x89PNG") for figure in figures.values())

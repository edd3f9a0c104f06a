"""What a soak tells: to machines, to people, and by its exit code."""

import json
from dataclasses import replace

import pytest

from soak import facts, plots, tables
from soak.clients import Tally
from soak.run import Findings, Plan
from terna.errors import TernaError
from terna.training.plots import style


def test_figures_have_their_keys(findings: Findings) -> None:
    told = json.loads(json.dumps(facts.of(findings)))
    kept = ("requests", "swaps", "failed", "mixed_up")
    assert {key: told[key] for key in kept} == dict(zip(kept, (2000, 20, 0, 0), strict=True))
    assert told["answers_by_version"] == {"1": 1000, "2": 1000}
    assert told["swap_s"] == {"median": 1.5, "longest": 1.5}


def test_memory_grows_from_the_warm_up_to_the_end(findings: Findings) -> None:
    told = facts.of(findings)
    assert told["rss_growth_mb"] == 6  # swaps 11 to 14, against 17 to 20
    assert told["anonymous_growth_mb"] == 0
    assert told["memory"]["worker 1"]["rss"] == [111.5, 117.5]


def test_few_swaps_are_compared_as_well(findings: Findings) -> None:
    findings.swaps = findings.swaps[:4]
    assert facts.of(findings)["rss_growth_mb"] == 1  # swap 3 against swap 4


def test_process_seen_at_one_end_only_has_no_figures(
    findings: Findings,
) -> None:
    findings.swaps = [
        replace(swap, memory={"worker 1": swap.memory["worker 1"]}) for swap in findings.swaps[:15]
    ] + findings.swaps[15:]
    told = facts.of(findings)
    assert told["memory"]["follower"] == {}
    assert [row[0] for row in tables.memory(told).rows] == ["worker 1"]


def test_good_soak_raises_nothing(findings: Findings) -> None:
    findings.check()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Tally(failed=2, words=["failed: TimeoutError: "]), "2 failed and 0 were mixed up"),
        (Tally(mixed_up=1, words=["mixed up: 200"]), "0 failed and 1 were mixed up"),
    ],
)
def test_one_wrong_answer_spoils_it(findings: Findings, wrong: Tally, said: str) -> None:
    findings.take([wrong])
    with pytest.raises(TernaError, match=said):
        findings.check()


@pytest.mark.parametrize("plan", [Plan(requests=2001, swaps=20), Plan(requests=2000, swaps=21)])
def test_too_few_requests_or_swaps_spoil_it(findings: Findings, plan: Plan) -> None:
    findings.plan = plan
    with pytest.raises(TernaError, match=r"2,000 of .* requests and 20 of .* swaps in 20 minutes"):
        findings.check()


def test_table_shows_requests_and_swaps(findings: Findings) -> None:
    rows = {row[0]: row[1] for row in tables.outcome(facts.of(findings)).rows}
    assert rows["requests"] == "2,000"
    assert rows["failed"] == "0"
    assert rows["memory grew by (RSS)"] == "+6.0 MB"


def test_plot_shows_each_version_and_process(findings: Findings) -> None:
    figure = plots.drawn(findings)
    legends = [axes.get_legend() for axes in figure.axes]
    names = [text.get_text() for legend in legends if legend for text in legend.get_texts()]
    assert names == ["version 1", "version 2", "failed or mixed up", "follower", "worker 1"]
    assert style.png(figure).startswith(b"\x89PNG")

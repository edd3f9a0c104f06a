"""What a soak tells: to machines, to people, and by its exit code."""

import json
from dataclasses import replace

import pytest

from soak import facts, plots, tables
from soak.clients import Lost, Tally
from soak.kills import Kill
from soak.run import Findings, Plan
from soak.workers import Memory
from terna.errors import TernaError
from terna.training.plots import style
from tests.unit.soak.conftest import BEGAN


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


def test_successor_of_a_killed_process_has_a_warm_up_of_its_own(findings: Findings) -> None:
    findings.swaps[14:] = [
        replace(swap, memory={"worker 2": Memory(50 + 2 * number, 0, 0)})
        for number, swap in enumerate(findings.swaps[14:])
    ]
    told = facts.of(findings)
    assert told["memory"]["worker 1"]["rss"] == [108, 112]  # swaps 8 to 10, and 12 to 14
    assert told["memory"]["worker 2"]["rss"] == [56, 60]  # swap 18, and 20
    assert told["rss_growth_mb"] == 8
    rows = [row[0] for row in tables.memory(told).rows]
    assert rows == ["agent of the registry", "worker 1", "worker 2"]


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


KILL = Kill("worker 1", BEGAN + 10, BEGAN + 10.2, connections=2)


def lost(asked: float, ended: float) -> Tally:
    return Tally(lost=[Lost(BEGAN + asked, BEGAN + ended, "lost: 502")])


def test_request_in_flight_in_a_killed_worker_spoils_nothing(findings: Findings) -> None:
    findings.kills = [KILL]
    findings.take([lost(9.9, 10.1), lost(10.1, 10.3)])
    findings.check()
    told = facts.of(findings)
    assert (told["failed"], told["in_killed_worker"], told["requests"]) == (0, 2, 2002)


@pytest.mark.parametrize(
    "tallies",
    [
        [lost(9.8, 9.9)],
        [lost(10.4, 10.5)],
        [lost(9.9, 10.1), lost(9.9, 10.1), lost(9.9, 10.1)],
    ],
    ids=["before the kill", "after the kill", "more than the worker had connections"],
)
def test_lost_request_that_no_kill_explains_spoils_it(
    findings: Findings, tallies: list[Tally]
) -> None:
    findings.kills = [KILL]
    findings.take(tallies)
    with pytest.raises(TernaError, match="1 failed and 0 were mixed up; the first lost: 502"):
        findings.check()


def test_request_lost_when_the_agent_was_killed_spoils_it(findings: Findings) -> None:
    findings.kills = [replace(KILL, process="agent", connections=0)]
    findings.take([lost(9.9, 10.1)])
    with pytest.raises(TernaError, match="1 failed"):
        findings.check()


def test_worker_and_agent_are_killed_in_turn() -> None:
    plan = Plan(kill_every=10)
    killed = {swaps: plan.kill_of(swaps) for swaps in range(41)}
    assert {swaps: name for swaps, name in killed.items() if name} == {
        10: "worker",
        20: "agent",
        30: "worker",
        40: "agent",
    }
    assert not any(Plan(kill_every=0).kill_of(swaps) for swaps in range(41))


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
    assert rows["killed"] == "0"


def test_table_shows_what_was_killed(findings: Findings) -> None:
    findings.kills = [KILL, replace(KILL, process="agent"), replace(KILL, process="worker 2")]
    findings.take([lost(9.9, 10.1)])
    rows = {row[0]: row[1] for row in tables.outcome(facts.of(findings)).rows}
    assert rows["killed"] == "2 workers, 1 agent"
    assert rows["lost in a killed worker"] == "1"


def test_plot_shows_each_version_kill_and_kind_of_process(findings: Findings) -> None:
    findings.kills = [KILL, replace(KILL, process="agent"), replace(KILL, process="worker 2")]
    figure = plots.drawn(findings)
    legends = [axes.get_legend() for axes in figure.axes]
    names = [text.get_text() for legend in legends if legend for text in legend.get_texts()]
    kills = ["worker killed", "agent killed"]
    assert names[:5] == ["version 1", "version 2", "lost, failed or mixed up", *kills]
    assert names[5:] == ["agent", "worker"]
    assert style.png(figure).startswith(b"\x89PNG")

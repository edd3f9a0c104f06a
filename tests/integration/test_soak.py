"""Serving under load while versions swap: scripts/soak in small."""

from pathlib import Path

from soak import facts
from soak.run import Plan, run
from terna.progress import Silent


def test_swaps_lose_nothing_and_a_killed_worker_only_what_was_in_it(tmp_path: Path) -> None:
    plan = Plan(requests=2000, swaps=6, minutes=3, kill_every=2)
    findings = run(plan, "local", tmp_path, Silent())
    findings.check()
    told = facts.of(findings)
    assert told["failed"] == told["mixed_up"] == 0
    assert told["requests"] >= 2000
    assert all(told["answers_by_version"].values())
    assert [kill["process"] for kill in told["kills"]] == ["worker 1", "agent"]
    workers = {"worker 1", "worker 2", "worker 3"}
    assert {"server", "agent", "agent 2", *workers} == set(told["memory"])

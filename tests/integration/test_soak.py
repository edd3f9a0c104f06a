"""Serving under load while versions swap: scripts/soak in small."""

from pathlib import Path

from soak import facts
from soak.run import Plan, run
from terna.progress import Silent


def test_no_response_is_lost_or_mixed_up_while_versions_swap(tmp_path: Path) -> None:
    findings = run(Plan(requests=2000, swaps=4, minutes=3), "local", tmp_path, Silent())
    findings.check()
    told = facts.of(findings)
    assert told["failed"] == told["mixed_up"] == 0
    assert told["requests"] >= 2000
    assert all(told["answers_by_version"].values())
    assert {"server", "follower", "worker 1", "worker 2"} == set(told["memory"])

"""The soak: clients ask, versions swap, processes are killed, and what came of it."""

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from soak.clients import FEW, Load, Tally
from soak.kills import Kill, unexplained
from soak.server import Server
from soak.stacks import STACKS
from soak.workers import Memory, Watch
from terna.errors import TernaError
from terna.progress import Reporter

PATIENCE = 60
"""Seconds for serving to follow a promotion."""
PAUSE = 0.05
"""Seconds between two questions to the workers which version they answer."""
TOLD_EVERY = 10


@dataclass(frozen=True)
class Plan:
    """When it has been enough: of both, or of the time."""

    requests: int = 100_000
    swaps: int = 50
    minutes: float = 20
    clients: int = 8
    kill_every: int = 0
    """Swaps between two kills, of a worker and of the agent in turn; 0 for none."""

    def kill_of(self, swaps: int) -> str:
        """Return what is to be killed after so many swaps; empty for nothing."""
        turn, rest = divmod(swaps, self.kill_every) if self.kill_every else (0, 1)
        if rest or not turn:
            return ""
        return "worker" if turn % 2 else "agent"


@dataclass(frozen=True)
class Swap:
    """One promotion, on the machine's monotonic clock, and the memory after it by process."""

    version: str
    promoted: float
    followed: float
    """When every worker answered the version."""
    memory: Mapping[str, Memory]


@dataclass
class Findings:
    """What was seen."""

    plan: Plan
    stack: str
    reverse_proxy: str
    began: float
    """On the machine's monotonic clock."""
    total: Tally = field(default_factory=Tally)
    tallies: list[Tally] = field(default_factory=list)
    swaps: list[Swap] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)

    @property
    def enough(self) -> bool:
        """Whether as much was asked and swapped as planned."""
        asked = self.total.requests >= self.plan.requests
        return asked and len(self.swaps) >= self.plan.swaps

    @property
    def failed(self) -> int:
        """How many requests failed, or were lost without a worker being killed."""
        return self.total.failed + len(unexplained(self.total.lost, self.kills))

    @property
    def lost_in_killed(self) -> int:
        """How many requests were lost because their worker was killed."""
        return len(self.total.lost) - len(unexplained(self.total.lost, self.kills))

    @property
    def words(self) -> list[str]:
        """What was wrong with the first that were not good, and in no killed worker."""
        lost = unexplained(self.total.lost, self.kills)
        return [*self.total.words, *(each.words for each in lost)][:FEW]

    def take(self, tallies: Sequence[Tally]) -> None:
        """Add what has come in."""
        for tally in tallies:
            self.tallies.append(tally)
            self.total.add(tally)

    def check(self) -> None:
        """Check the responses; raise `TernaError` where one is wrong or they are too few."""
        total, plan, swaps = self.total, self.plan, len(self.swaps)
        if self.failed or total.mixed_up:
            raise TernaError(
                f"of {total.requests:,} requests {self.failed:,} failed and {total.mixed_up:,}"
                f" were mixed up; the first {self.words[0]}"
            )
        if not self.enough:
            raise TernaError(
                f"{total.requests:,} of {plan.requests:,} requests and {swaps} of {plan.swaps}"
                f" swaps in {plan.minutes:g} minutes."
            )


def run(plan: Plan, stack: str, root: Path, reporter: Reporter) -> Findings:
    """Soak below `root`, whose content is replaced.

    Raises:
        TernaError: the servers do not start, or a worker ends or does not follow a promotion.
    """
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    with STACKS[stack](root.absolute(), reporter) as server:
        return Soak(server, plan, reporter).run()


@dataclass(frozen=True)
class Soak:
    """One running server, and how long it is asked."""

    server: Server
    plan: Plan
    reporter: Reporter

    def run(self) -> Findings:
        """Promote one version after the other while clients ask."""
        server, plan = self.server, self.plan
        load = Load(server.target, server.questions(), plan.clients)
        findings = Findings(plan, server.stack, server.reverse_proxy, time.monotonic())
        with load, closing(Watch(server)) as watch:
            with self.reporter.step("soaking", plan.swaps) as advance:
                for model in cycle(reversed(server.models)):
                    self._swap(str(model.number), watch, findings)
                    findings.take(load.taken())
                    self._tell(findings)
                    advance()
                    if findings.enough or self._is_late(findings):
                        break
            findings.take(load.stopped())
        return findings

    def _swap(self, version: str, watch: Watch, findings: Findings) -> None:
        """Promote a version, kill what is to be killed while it is on its way, and wait for it."""
        promoted = time.monotonic()
        self.server.promote(int(version))
        match self.plan.kill_of(len(findings.swaps)):
            case "worker":
                findings.kills.append(watch.kill_worker())
            case "agent":
                findings.kills.append(watch.kill_agent())
        while watch.versions() != {version}:
            if time.monotonic() - promoted > PATIENCE:
                raise TernaError(f"no worker follows to version {version} in {PATIENCE} s.")
            time.sleep(PAUSE)
        memory = watch.processes.memory()
        findings.swaps.append(Swap(version, promoted, time.monotonic(), memory))

    def _is_late(self, findings: Findings) -> bool:
        return time.monotonic() - findings.began > 60 * self.plan.minutes

    def _tell(self, findings: Findings) -> None:
        swaps, total = len(findings.swaps), findings.total
        if swaps % TOLD_EVERY == 0:
            self.reporter.say(
                f"{swaps} swaps, {total.requests:,} requests:"
                f" {findings.failed} failed, {total.mixed_up} mixed up,"
                f" {findings.lost_in_killed} lost in a killed worker"
            )

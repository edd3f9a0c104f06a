"""The findings for machines."""

from collections.abc import Callable, Sequence
from statistics import fmean, median
from typing import Any

from bench import machine
from soak.run import Findings, Swap
from soak.workers import Memory

WARM_UP = 10
"""Swaps before memory is compared: allocators keep what the first few took."""
AROUND = 4
"""Swaps whose memory is averaged at either end: two of each version."""

Facts = dict[str, Any]


def of(findings: Findings) -> Facts:
    """Return everything as JSON holds it; memory is compared after the warm-up and at the end
    of each process: one that was killed has a successor, with a warm-up of its own.

    `door` is the reverse proxy in front of serving.
    """
    total, swaps = findings.total, findings.swaps
    seconds = swaps[-1].followed - findings.began
    followed = [swap.followed - swap.promoted for swap in swaps]
    return {
        "requests": total.requests,
        "swaps": len(swaps),
        "failed": findings.failed,
        "in_killed_worker": findings.lost_in_killed,
        "kills": [
            {
                "process": kill.process,
                "second": round(kill.killed - findings.began, 1),
                "connections": kill.connections,
            }
            for kill in findings.kills
        ],
        "mixed_up": total.mixed_up,
        "rss_growth_mb": growth(swaps, lambda memory: memory.rss),
        "pss_growth_mb": growth(swaps, lambda memory: memory.pss),
        "anonymous_growth_mb": growth(swaps, lambda memory: memory.anonymous),
        "wrong": findings.words,
        "answers_by_version": dict(total.good),
        "seconds": round(seconds, 1),
        "swap_s": {"median": round(median(followed), 2), "longest": round(max(followed), 2)},
        "memory": {name: _ends(swaps, name) for name in names(swaps)},
        "stack": findings.stack,
        "door": findings.reverse_proxy,
        "clients": findings.plan.clients,
        "cores": machine.cores(),
    }


def names(swaps: Sequence[Swap]) -> list[str]:
    """Return the names of all processes that there were, in the order of their birth."""
    return list(dict.fromkeys(name for swap in swaps for name in swap.memory))


def growth(swaps: Sequence[Swap], size: Callable[[Memory], float]) -> float:
    """Return MB, of all processes together, each from its warm-up to its end."""
    return round(sum(_grown(_compared(swaps, name), size) for name in names(swaps)), 1)


def _compared(swaps: Sequence[Swap], name: str) -> tuple[Sequence[Memory], Sequence[Memory]]:
    """Return a process's memory after its warm-up and at its end; of fewer swaps for few."""
    lived = [swap.memory[name] for swap in swaps if name in swap.memory]
    warm = lived[min(WARM_UP, len(lived) // 2) :]
    around = max(1, min(AROUND, len(warm) // 2))
    return warm[:around], warm[-around:]


def _grown(
    compared: tuple[Sequence[Memory], Sequence[Memory]], size: Callable[[Memory], float]
) -> float:
    before, after = (fmean(map(size, end)) for end in compared)
    return after - before


def _ends(swaps: Sequence[Swap], name: str) -> dict[str, list[float]]:
    """Return a process's memory after the warm-up and at the end, in MB."""
    return {
        kind: [round(fmean(getattr(each, kind) for each in end), 1) for end in ends]
        for ends in [_compared(swaps, name)]
        for kind in ("rss", "pss", "anonymous")
    }

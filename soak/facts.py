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
    """Return everything as JSON holds it; memory is compared after the warm-up and at the end.

    `door` is the reverse proxy in front of serving.
    """
    total, swaps = findings.total, findings.swaps
    seconds = swaps[-1].followed - findings.began
    followed = [swap.followed - swap.promoted for swap in swaps]
    return {
        "requests": total.requests,
        "swaps": len(swaps),
        "failed": total.failed,
        "mixed_up": total.mixed_up,
        "rss_growth_mb": growth(swaps, lambda memory: memory.rss),
        "pss_growth_mb": growth(swaps, lambda memory: memory.pss),
        "anonymous_growth_mb": growth(swaps, lambda memory: memory.anonymous),
        "wrong": total.words,
        "answers_by_version": dict(total.good),
        "seconds": round(seconds, 1),
        "swap_s": {"median": round(median(followed), 2), "longest": round(max(followed), 2)},
        "memory": {name: _ends(swaps, name) for name in swaps[-1].memory},
        "stack": findings.stack,
        "door": findings.reverse_proxy,
        "clients": findings.plan.clients,
        "cores": machine.cores(),
    }


def growth(swaps: Sequence[Swap], size: Callable[[Memory], float]) -> float:
    """Return MB, of all processes together, from the warm-up to the end."""
    before, after = _compared(swaps)
    return round(_together(after, size) - _together(before, size), 1)


def _compared(swaps: Sequence[Swap]) -> tuple[Sequence[Swap], Sequence[Swap]]:
    """Return the swaps after the warm-up and the last ones; fewer where there are few."""
    warm = swaps[min(WARM_UP, len(swaps) // 2) :]
    around = max(1, min(AROUND, len(warm) // 2))
    return warm[:around], warm[-around:]


def _together(swaps: Sequence[Swap], size: Callable[[Memory], float]) -> float:
    return fmean(sum(map(size, swap.memory.values())) for swap in swaps)


def _ends(swaps: Sequence[Swap], name: str) -> dict[str, list[float]]:
    """Return a process's memory after the warm-up and at the end, in MB."""
    before, after = (
        [swap.memory[name] for swap in end if name in swap.memory] for end in _compared(swaps)
    )
    return {
        kind: [round(fmean(getattr(each, kind) for each in end), 1) for end in (before, after)]
        for kind in ("rss", "pss", "anonymous")
        if before and after
    }

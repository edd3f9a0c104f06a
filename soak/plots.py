"""The findings as a picture."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from soak import facts
from soak.run import Findings
from terna.training.plots import style

BIN = 1.0
"""Seconds whose answers are counted together."""
LINES = {"worker": "--", "agent": ":"}
"""How the line is drawn that marks the kill of such a process."""
QUIET = (-5, 20)
"""MB of memory that a plot shows at least: noise looks like noise."""


def drawn(findings: Findings) -> Figure:
    """Answers a second by version, the version promoted, and memory by process, over time."""
    figure = style.figure(7.2, 6.4)
    rate, version, memory = figure.subplots(3, 1, sharex=True, height_ratios=[2, 0.7, 1.6])
    _rate(rate, findings)
    _version(version, findings)
    _memory(memory, findings)
    for axes in (rate, version, memory):
        style.style_axes(axes)
    memory.set(xlabel="seconds")
    return figure


def _rate(axes: Axes, findings: Findings) -> None:
    """Answers a second, stacked, and those that were none in the colour of a warning."""
    versions = sorted({swap.version for swap in findings.swaps}, key=int)
    ends = [tally.at - findings.began for tally in findings.tallies]
    edges = np.arange(0, max(ends) + BIN, BIN)
    counts = {name: [tally.good[name] for tally in findings.tallies] for name in versions}
    wrong = [tally.failed + tally.mixed_up + len(tally.lost) for tally in findings.tallies]
    layers = [np.histogram(ends, edges, weights=each)[0] / BIN for each in counts.values()]
    areas = axes.stackplot(edges[:-1], layers, colors=style.COLOURS, linewidth=0)
    names = [f"version {name}" for name in versions]
    lines = axes.plot(
        edges[:-1], np.histogram(ends, edges, weights=wrong)[0] / BIN, color=style.ORANGE
    )
    kills = _kills(axes, findings)
    named = [*names, "lost, failed or mixed up", *(f"{kind} killed" for kind in kills)]
    style.legend_above(axes, [*areas, *lines, *kills.values()], named)
    axes.set(ylabel="answers a second")
    axes.yaxis.set_major_formatter(style.THOUSANDS)


def _kills(axes: Axes, findings: Findings) -> dict[str, Line2D]:
    """Mark each kill by a vertical line; return a line of each kind for the legend."""
    return {
        kill.kind: axes.axvline(
            kill.killed - findings.began, color=style.INK, linewidth=1, linestyle=LINES[kill.kind]
        )
        for kill in findings.kills
    }


def _version(axes: Axes, findings: Findings) -> None:
    """Draw the version promoted; a dot where every worker answers it."""
    begun = [swap.promoted - findings.began for swap in findings.swaps]
    numbers = [int(swap.version) for swap in findings.swaps]
    axes.step(begun, numbers, where="post", color=style.SOFT, linewidth=1)
    for swap in findings.swaps:
        axes.plot(swap.followed - findings.began, int(swap.version), ".", color=style.BLUE)
    axes.set(ylabel="version", yticks=sorted(set(numbers)))
    axes.margins(y=0.4)


def _memory(axes: Axes, findings: Findings) -> None:
    """Draw what each process takes more than after its first swap: growth shows at any size."""
    kinds: dict[str, Line2D] = {}
    for name in facts.names(findings.swaps):
        kind = name.split()[0]
        colour = kinds[kind].get_color() if kind in kinds else style.COLOURS[len(kinds)]
        known = [swap for swap in findings.swaps if name in swap.memory]
        times = [swap.followed - findings.began for swap in known]
        sizes = [swap.memory[name].rss - known[0].memory[name].rss for swap in known]
        (kinds[kind],) = axes.plot(times, sizes, color=colour, linewidth=1.5)
    style.legend(axes, [*kinds.values()], [*kinds])
    low, high = axes.get_ylim()
    axes.set(
        ylabel="memory since its first swap, MB", ylim=(min(low, QUIET[0]), max(high, QUIET[1]))
    )

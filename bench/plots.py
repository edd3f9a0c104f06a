"""The facts as pictures."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from bench.facts import Facts
from bench.tables import NAMES
from terna.training.plots import style

COLOURS = dict(zip(NAMES, style.COLOURS, strict=False))
AXES = {
    "rows": "rows in one request",
    "connections": "connections",
    "columns": "columns of the model",
    "models": "loaded models, a process each",
}


def drawn(facts: Facts) -> dict[str, Figure]:
    """Figures by name."""
    grown = {what: growth(what, facts) for what in facts["growth"]}
    return {"throughput": throughput(facts["systems"]), **grown}


def throughput(systems: Mapping[str, Facts]) -> Figure:
    """Answers a second at 16 connections, by system, with the lowest and the highest round."""
    figure, axes = style.single_plot(6.4, style.height_of_bars(len(systems)))
    for row, (name, found) in enumerate(systems.items()):
        spread = found["throughput_c16"]
        axes.plot([spread["low"], spread["high"]], [row, row], color=style.SOFT, linewidth=1.4)
        axes.plot(spread["median"], row, "o", color=COLOURS[name], markersize=9)
        text = f"   {spread['median']:,.0f}"
        axes.text(spread["high"], row, text, va="center", fontsize=8.5, color=style.SOFT)
    style.label_rows(axes, [NAMES[name] for name in systems])
    axes.set(xlabel="answers a second, one row each, 16 connections", xscale="log")
    axes.margins(x=0.2)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(style.THOUSANDS)
    return figure


def growth(what: str, facts: Facts) -> Figure:
    """Time of an answer by system above, serving's memory below, both by size."""
    points = facts["growth"][what]
    figure = style.figure(5.2, 5.0)
    time, memory = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
    names = list(dict.fromkeys(point["system"] for point in points))
    for name in names:
        own = [point for point in points if point["system"] == name]
        sizes, times = [point["size"] for point in own], [point["mean_ms"] for point in own]
        time.plot(sizes, times, "o-", color=COLOURS[name], linewidth=1.8, markersize=4)
    held = {point["size"]: point["memory"] for point in points if "memory" in point}
    key = "all_pss_mb" if what == "models" else "rss_mb"
    used = [each[key] for each in held.values()]
    memory.plot(list(held), used, "o-", color=COLOURS["terna"], linewidth=1.8, markersize=4)
    style.legend(time, time.get_lines(), [NAMES[name] for name in names])
    time.set(ylabel="ms an answer", xscale="log", yscale="log")
    memory.set(xlabel=AXES[what], ylabel="memory, MB", ylim=(0, 1.15 * max(used)))
    for axes in (time, memory):
        _finish(axes, list(held))
    return figure


def _finish(axes: Axes, sizes: list[int]) -> None:
    style.style_axes(axes)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.yaxis.set_major_formatter(style.THOUSANDS)

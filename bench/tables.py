"""The facts for people: tables for the terminal and for docs/benchmark.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table as Shown

from bench.facts import Facts
from terna.errors import TernaError

NAMES = {
    "terna": "Terna behind nginx",
    "pyfunc": "Terna behind nginx, pyfunc",
    "mlflow": "mlflow models serve",
    "bentoml": "BentoML, ONNX",
    "echo": "echo behind nginx",
}
BEGIN, END = "<!-- scripts/bench --readme: -->", "<!-- so far -->"


@dataclass(frozen=True)
class Goal:
    """A figure that serving is judged by; `key` is its place in the facts."""

    key: str
    meaning: str
    goal: str
    unit: str
    scale: int = 1

    def text(self, value: float) -> str:
        """Format a value with its unit."""
        return f"{_digits(value * self.scale)}{self.unit}"


GOALS = (
    Goal(
        "ratios.throughput_c16_vs_mlflow",
        "answers a second at 16 connections, against mlflow models serve",
        "≥ 300 ×",
        " ×",
    ),
    Goal(
        "ratios.throughput_c16_vs_bentoml_onnx",
        "… against BentoML with the same forest in ONNX",
        "≥ 10 ×",
        " ×",
    ),
    Goal(
        "ratios.throughput_c16_vs_echo",
        "… against an app that only parses, on the same server and nginx",
        "≥ 75%",
        "%",
        100,
    ),
    Goal(
        "ratios.throughput_c16_pyfunc_vs_mlflow",
        "… of a model that does not compile, against mlflow models serve",
        "≥ 1.4 ×",
        " ×",
    ),
    Goal("ratios.throughput_c16_second_worker_adds", "… a second worker adds", "≥ 60%", "%", 100),
    Goal(
        "ratios.p50_c1_vs_mlflow",
        "median time at 1 connection, against mlflow models serve",
        "≤ 0.0222 ×",
        " ×",
    ),
    Goal(
        "ratios.throughput_most_rows_vs_mlflow",
        "10 000 rows in one request, against mlflow models serve",
        "≥ 5 ×",
        " ×",
    ),
    Goal("server_ms_1000_rows", "server time for 1000 rows", "≤ 10 ms", " ms"),
    Goal("worker_rss_mb", "memory of a worker", "≤ 130 MB", " MB"),
    Goal("worker_rss_after_pyfunc_mb", "… after requests that pyfunc answers", "≤ 130 MB", " MB"),
    Goal("ready_s", "ready from a warm cache", "≤ 2 s", " s"),
    Goal("first_pyfunc_s", "the first request that pyfunc answers", "≤ 0.5 s", " s"),
)


@dataclass(frozen=True)
class Table:
    """Cells of text; the first column is a name, the others are figures."""

    heading: Sequence[str]
    rows: Sequence[Sequence[str]]


def headline(facts: Facts) -> Table:
    """Tabulate each figure with the lowest and the highest round, and its goal."""
    return Table(("", "median", "rounds", "goal"), [_judged(goal, facts) for goal in GOALS])


def systems(facts: Facts) -> Table:
    """Tabulate what one row takes, by system."""
    heading = ("one row", "answers/s at 16", "p50 at 16", "p50 at 1", "worker's memory", "failed")
    return Table(heading, [_system(name, each) for name, each in facts["systems"].items()])


def growth(what: str, facts: Facts) -> Table:
    """Tabulate the mean time of an answer by size and system, and serving's memory."""
    points = facts["growth"][what]
    names = list(dict.fromkeys(point["system"] for point in points))
    sizes = list(dict.fromkeys(point["size"] for point in points))
    times = {
        (point["size"], point["system"]): f"{_digits(point['mean_ms'])} ms" for point in points
    }
    held = {point["size"]: _held(what, point["memory"]) for point in points if "memory" in point}
    heading = (what, *(NAMES[name] for name in names), "Terna's memory")
    return Table(
        heading,
        [(f"{size:,}", *(times[size, name] for name in names), held[size]) for size in sizes],
    )


def machine(facts: Facts) -> str:
    """Say where the figures come from, in a line."""
    found = facts["machine"]
    return (
        f"{found['cores']} cores ({found['processor']}), {found['memory_gb']:.0f} GB, load"
        f" {found['load_before']} before; Python {found['python']}, nginx {found['nginx']}, granian"
        f" {found['granian']}, MLflow {found['mlflow']}, scikit-learn {found['scikit-learn']},"
        f" BentoML {found['bentoml']}, ONNX Runtime {found['onnxruntime']};"
        f" {facts['plan']['name']} run on {found['day']}"
    )


def shown(table: Table) -> Shown:
    """Return the table for the terminal."""
    shown = Shown()
    for number, name in enumerate(table.heading):
        shown.add_column(name, justify="right" if number else "left")
    for row in table.rows:
        shown.add_row(*row)
    return shown


def markdown(table: Table) -> str:
    """Return the table for a page."""
    rule = ("---", *("--:" for _ in table.heading[1:]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (table.heading, rule, *table.rows))


def put_into(page: Path, facts: Facts) -> None:
    """Replace what stands between the two markers of a page.

    Raises:
        TernaError: the page has no such markers.
    """
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise TernaError(f"{page} has no place for the tables: {BEGIN} and {END}, a line each.")
    parts = (begin, f"Measured on {machine(facts)}.", markdown(headline(facts)))
    text = "\n\n".join((*parts, markdown(systems(facts)), end))
    page.write_text(before + text + after)


def _judged(goal: Goal, facts: Facts) -> tuple[str, ...]:
    value: Any = facts
    for part in goal.key.split("."):
        value = value[part]
    if value is None:
        return goal.meaning, "–", facts["unknown"][goal.key], goal.goal
    low, high = facts["spread"][goal.key]
    span = "" if low == high else f"{goal.text(low)} – {goal.text(high)}"
    return goal.meaning, goal.text(value), span, goal.goal


def _system(name: str, found: Facts) -> tuple[str, ...]:
    return (
        NAMES[name],
        _digits(found["throughput_c16"]["median"]),
        f"{_digits(found['p50_c16_ms']['median'])} ms",
        f"{_digits(found['p50_c1_ms']['median'])} ms",
        f"{_digits(found['memory']['rss_mb'])} MB",
        str(found["failed"]),
    )


def _held(what: str, memory: Facts) -> str:
    """Return the memory of all models' processes; else of the worker that answers."""
    return f"{_digits(memory['all_pss_mb' if what == 'models' else 'rss_mb'])} MB"


def _digits(value: float) -> str:
    """Three that say something, and all that stand before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"

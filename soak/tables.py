"""The facts for people."""

from collections import Counter

from bench.tables import Table
from soak.facts import Facts

NAMES = {
    "server": "what starts the workers",
    "agent": "agent of the registry",
}


def outcome(facts: Facts) -> Table:
    """Tabulate what came of it."""
    swap = facts["swap_s"]
    return Table(
        ("", facts["stack"]),
        [
            ("requests", f"{facts['requests']:,}"),
            ("swaps", f"{facts['swaps']:,}"),
            ("failed", f"{facts['failed']:,}"),
            ("lost in a killed worker", f"{facts['in_killed_worker']:,}"),
            ("killed", _killed(facts)),
            ("mixed up", f"{facts['mixed_up']:,}"),
            ("minutes", f"{facts['seconds'] / 60:.1f}"),
            ("a swap: median, longest", f"{swap['median']:.1f} s, {swap['longest']:.1f} s"),
            ("memory grew by (RSS)", f"{facts['rss_growth_mb']:+.1f} MB"),
            ("memory grew by (allocated)", f"{facts['anonymous_growth_mb']:+.1f} MB"),
        ],
    )


def _killed(facts: Facts) -> str:
    """Return how many of what were killed, such as `2 workers, 2 agents`."""
    kinds = Counter(kill["process"].split()[0] for kill in facts["kills"])
    return ", ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in kinds.items()) or "0"


def memory(facts: Facts) -> Table:
    """RSS of each process after the warm-up and at the end."""
    rows = [
        (_told(name), *(f"{size:.1f} MB" for size in sizes["rss"]))
        for name, sizes in facts["memory"].items()
    ]
    return Table(("memory (RSS)", "after the warm-up", "at the end"), rows)


def _told(name: str) -> str:
    """Return what a process is called to people; a successor has a number."""
    kind, _, number = name.partition(" ")
    return f"{NAMES.get(kind, kind)} {number}".strip()

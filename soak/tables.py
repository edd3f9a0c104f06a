"""The facts for people."""

from bench.tables import Table
from soak.facts import Facts

NAMES = {
    "server": "what starts the workers",
    "follower": "agent of the registry",
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
            ("mixed up", f"{facts['mixed_up']:,}"),
            ("minutes", f"{facts['seconds'] / 60:.1f}"),
            ("a swap: median, longest", f"{swap['median']:.1f} s, {swap['longest']:.1f} s"),
            ("memory grew by (RSS)", f"{facts['rss_growth_mb']:+.1f} MB"),
            ("memory grew by (allocated)", f"{facts['anonymous_growth_mb']:+.1f} MB"),
        ],
    )


def memory(facts: Facts) -> Table:
    """RSS of each process after the warm-up and at the end."""
    rows = [
        (NAMES.get(name, name), *(f"{size:.1f} MB" for size in sizes["rss"]))
        for name, sizes in facts["memory"].items()
        if sizes
    ]
    return Table(("memory (RSS)", "after the warm-up", "at the end"), rows)

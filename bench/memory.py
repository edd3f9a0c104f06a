"""The memory of a server's processes, as the kernel counts it. 1 MB is 10⁶ bytes."""

import re
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from bench.systems import JSON, System
from terna.errors import TernaError


@dataclass(frozen=True)
class Memory:
    """Resident, and the proportional share (PSS) of what processes share."""

    rss_mb: float
    """Of the worker that answers."""
    pss_mb: float
    all_pss_mb: float
    """Of all processes of the server together."""
    processes: int


def of(system: System) -> Memory:
    """Ask the server itself once, and look who holds the connection.

    Raises:
        TernaError: nobody does.
    """
    direct = httpx.URL(system.url).copy_with(port=system.port)
    with system.client() as client:
        body = system.model.body(system.model.customers[:1])
        client.post(direct, content=body, headers=JSON).raise_for_status()
        worker = rollup(_holder(system.port))
    leader = psutil.Process(system.process.group)
    shares = [rollup(each.pid)["Pss"] for each in (leader, *leader.children(recursive=True))]
    return Memory(worker["Rss"], worker["Pss"], sum(shares), len(shares))


def _holder(port: int) -> int:
    """Return the process that accepted a connection to the port."""
    for connection in psutil.net_connections("tcp"):
        address, accepted = connection.laddr, connection.status == psutil.CONN_ESTABLISHED
        if address and address.port == port and accepted and connection.pid:
            return int(connection.pid)
    raise TernaError(f"No process holds a connection to port {port}.")


def rollup(pid: int) -> dict[str, float]:
    """Sizes of a process in MB, by the kernel's names: Rss, Pss, Anonymous, …"""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {name: int(kib) * 1024 / 1e6 for name, kib in re.findall(r"(\w+): +(\d+) kB", text)}

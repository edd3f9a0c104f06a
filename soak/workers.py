"""The processes of one serving server: which version each worker answers, and their memory."""

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil

from bench import memory
from soak.clients import PATIENCE
from soak.server import Server
from terna.errors import TernaError

AGENT = "agent"
"""The command of the process that looks at the registry; the figures call it `follower`."""
REMOTE, INODE = 2, 9
"""Columns of /proc/PID/net/tcp."""
TRIES = 200
"""Connections made until each worker has one: the kernel deals them out."""


@dataclass(frozen=True)
class Memory:
    """Of one process, in MB of 10⁶ bytes, as the kernel counts it."""

    rss: float
    pss: float
    """With its share of what processes share."""
    anonymous: float
    """What it has allocated: neither code nor files."""


def processes(server: int) -> dict[str, psutil.Process]:
    """Return processes by what they are: `server`, `follower`, `worker 1`, `worker 2`, …"""
    leader = psutil.Process(server)
    found, workers = {"server": leader}, []
    for child in sorted(leader.children(), key=_begin):
        line = " ".join(child.cmdline())
        if line.endswith(f" {AGENT}"):
            found["follower"] = child
        elif "spawn_main" in line:
            workers.append(child)
    return found | {f"worker {number}": worker for number, worker in enumerate(workers, 1)}


def memory_of(server: int) -> Mapping[str, Memory]:
    """Return the memory by process."""
    sizes = {name: memory.rollup(each.pid) for name, each in processes(server).items()}
    return {
        name: Memory(size["Rss"], size["Pss"], size["Anonymous"]) for name, size in sizes.items()
    }


class Watch:
    """A connection to each worker."""

    def __init__(self, server: Server) -> None:
        """Connect to each worker.

        Raises:
            TernaError: a worker takes none.
        """
        self._trust = ssl.create_default_context(cafile=str(server.target.ca))
        self._address = server.address
        found = processes(server.process)
        self._workers = [each for name, each in found.items() if name.startswith("worker")]
        self._connections: dict[int, HTTPConnection] = {}
        for _ in range(TRIES):
            self._connect()
            if len(self._connections) == len(self._workers):
                return
        raise TernaError(f"of {len(self._workers)} workers one takes no connection.")

    def versions(self) -> set[str]:
        """Return what the workers answer at this moment.

        Raises:
            TernaError: a worker has ended.
        """
        try:
            return {_version(connection) for connection in self._connections.values()}
        except (OSError, HTTPException) as error:
            raise TernaError(f"a worker has ended: {type(error).__name__}") from error

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections.values():
            connection.close()

    def _connect(self) -> None:
        """Once more; kept where it is the first to its worker."""
        connection = HTTPConnection("serving", timeout=PATIENCE)
        connection.auto_open = 0  # a new one could be another worker's
        plain = socket.create_connection(self._address, PATIENCE)
        connection.sock = self._trust.wrap_socket(plain, server_hostname="serving")
        _version(connection)  # answered, it has been accepted
        port = connection.sock.getsockname()[1]
        holder = next((each.pid for each in self._workers if _holds(each, port)), None)
        if holder is None or holder in self._connections:
            connection.close()
        else:
            self._connections[holder] = connection


def _holds(worker: psutil.Process, port: int) -> bool:
    """Return whether it has accepted the connection that comes from the port.

    In its own network: psutil knows connections of this process's only, not of a container's.
    """
    proc = Path(f"/proc/{worker.pid}")
    table = [line.split() for line in (proc / "net/tcp").read_text().splitlines()[1:]]
    ours = {f"socket:[{row[INODE]}]" for row in table if row[REMOTE].endswith(f":{port:04X}")}
    return any(_target(descriptor) in ours for descriptor in (proc / "fd").iterdir())


def _target(descriptor: Path) -> str:
    """Return what an open file is; empty when it was just closed."""
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""


def _begin(process: psutil.Process) -> tuple[float, int]:
    return process.create_time(), process.pid


def _version(connection: HTTPConnection) -> str:
    connection.request("GET", "/ping")
    response = connection.getresponse()
    response.read()
    return str(response.getheader("x-model-version", ""))

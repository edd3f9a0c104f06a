"""The processes of one serving server: what each worker answers, memory, and killing one."""

import socket
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil

from bench import memory
from soak.clients import PATIENCE
from soak.kills import AGENT, Kill
from soak.server import Server
from terna.erp.connection import authorization, tls_context
from terna.errors import TernaError

REMOTE, INODE = 2, 9
"""Columns of /proc/PID/net/tcp."""
RESTART_SECONDS = 60
"""Seconds for each worker to take a connection: the kernel deals them out."""
PAUSE = 0.001
"""Seconds between two looks whether a process has ended."""


@dataclass(frozen=True)
class Memory:
    """Of one process, in MB of 10⁶ bytes, as the kernel counts it."""

    rss: float
    pss: float
    """With its share of what processes share."""
    anonymous: float
    """What it has allocated: neither code nor files."""


class Processes:
    """The processes of one server, each under a name of its own as long as it lives."""

    def __init__(self, server: int) -> None:
        """
        Args:
            server: the id of the process that starts the others.
        """
        self._leader = psutil.Process(server)
        self._names = {self._leader: "server"}
        self._kinds: Counter[str] = Counter()

    def now(self) -> dict[str, psutil.Process]:
        """Return those that live, by name, in the order of their birth.

        They are `server`, `agent`, `worker 1`, `worker 2`, …; the successor of one that has
        ended has the next number.
        """
        for child in sorted(self._leader.children(), key=_begin):
            if child not in self._names and (kind := _kind(child)):
                self._names[child] = self._name(kind)
        return {name: each for each, name in self._names.items() if _lives(each)}

    def workers(self) -> dict[str, psutil.Process]:
        """Return the workers that live, by name, the oldest first."""
        return {name: each for name, each in self.now().items() if name.startswith("worker")}

    def agent(self) -> psutil.Process:
        """Return the agent; raise `TernaError` where there is none."""
        for name, process in self.now().items():
            if name.startswith(AGENT):
                return process
        raise TernaError("the agent does not run.")

    def memory(self) -> Mapping[str, Memory]:
        """Return the memory by process."""
        sizes = {name: memory.rollup(each.pid) for name, each in self.now().items()}
        return {
            name: Memory(size["Rss"], size["Pss"], size["Anonymous"])
            for name, size in sizes.items()
        }

    def _name(self, kind: str) -> str:
        self._kinds[kind] += 1
        number = self._kinds[kind]
        return kind if kind == AGENT and number == 1 else f"{kind} {number}"


class Watch:
    """A connection to each worker."""

    def __init__(self, server: Server) -> None:
        """Connect to each worker.

        Raises:
            TernaError: a worker takes none.
        """
        self._trust = tls_context(server.target.connection)
        self._headers = authorization(server.target.connection)
        self._address = server.address
        self.processes = Processes(server.process)
        self._number = len(self.processes.workers())
        self._connections: dict[str, HTTPConnection] = {}
        self._connect_to_all()

    def versions(self) -> set[str]:
        """Return what the workers answer at this moment.

        Raises:
            TernaError: a worker has ended.
        """
        try:
            return {self._version(connection) for connection in self._connections.values()}
        except (OSError, HTTPException) as error:
            raise TernaError(f"a worker has ended: {type(error).__name__}") from error

    def kill_worker(self) -> Kill:
        """Kill the oldest worker, and return when its successor takes connections.

        Raises:
            TernaError: it has none.
        """
        name, worker = next(iter(self.processes.workers().items()))
        kill = _kill(name, worker, len(_peers(worker)) - 1)  # one is ours
        self._connections.pop(name).close()
        self._connect_to_all()
        return kill

    def kill_agent(self) -> Kill:
        """Kill the agent."""
        return _kill(AGENT, self.processes.agent(), connections=0)

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections.values():
            connection.close()

    def _version(self, connection: HTTPConnection) -> str:
        connection.request("GET", "/v2/models", headers=self._headers)
        response = connection.getresponse()
        response.read()
        return str(response.getheader("x-model-version", ""))

    def _connect_to_all(self) -> None:
        deadline = time.monotonic() + RESTART_SECONDS
        while len(self._connections) < self._number:
            with suppress(OSError, HTTPException):  # of a worker that has ended, or just starts
                self._connect()
            if time.monotonic() > deadline:
                raise TernaError(f"of {self._number} workers one takes no connection.")

    def _connect(self) -> None:
        """Once more; kept where it is the first to its worker."""
        connection = HTTPConnection("serving", timeout=PATIENCE)
        connection.auto_open = 0  # a new one could be another worker's
        plain = socket.create_connection(self._address, PATIENCE)
        connection.sock = self._trust.wrap_socket(plain, server_hostname="serving")
        self._version(connection)  # answered, it has been accepted
        port = connection.sock.getsockname()[1]
        workers = self.processes.workers()
        holder = next((name for name, each in workers.items() if port in _peers(each)), None)
        if holder is None or holder in self._connections:
            connection.close()
        else:
            self._connections[holder] = connection


def _kill(name: str, process: psutil.Process, connections: int) -> Kill:
    killed = time.monotonic()
    process.kill()
    while _lives(process):
        time.sleep(PAUSE)
    return Kill(name, killed, time.monotonic(), connections)


def _peers(worker: psutil.Process) -> set[int]:
    """Return the ports that the connections come from which a worker has accepted.

    In its own network: psutil knows connections of this process's only, not of a container's.
    """
    proc = Path(f"/proc/{worker.pid}")
    table = [line.split() for line in (proc / "net/tcp").read_text().splitlines()[1:]]
    peers = {f"socket:[{row[INODE]}]": int(row[REMOTE].rpartition(":")[2], 16) for row in table}
    held = {_target(descriptor) for descriptor in (proc / "fd").iterdir()}
    return {port for socket, port in peers.items() if socket in held and port}  # 0 of who listens


def _target(descriptor: Path) -> str:
    """Return what an open file is; empty when it was just closed."""
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""


def _kind(process: psutil.Process) -> str:
    """Return what a child of the server is; empty where it is neither, or not yet."""
    with suppress(psutil.Error):
        line = process.cmdline()
        if line[-1:] == [AGENT]:
            return AGENT
        if any("spawn_main" in part for part in line):
            return "worker"
    return ""


def _lives(process: psutil.Process) -> bool:
    """Return whether a process runs: one that has ended stays until its parent has seen it."""
    with suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def _begin(process: psutil.Process) -> tuple[float, int]:
    return process.create_time(), process.pid

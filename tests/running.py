"""Servers as processes, for tests that ask real ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from terna.local.servers import LocalServers
from terna.progress import Silent
from terna.settings import Settings


@contextmanager
def running(server: str, root: Path, settings: Settings) -> Iterator[LocalServers]:
    """Run `tracking` or `serving` alone, from when it answers."""
    servers = LocalServers(root, settings, Silent())
    try:
        servers.start(server)
        servers.wait(server)
        yield servers
    finally:
        servers.close()

"""TCP ports of this machine: is one free, and which one is."""

import socket
from collections.abc import Sequence

from terna.errors import PortTaken


def check_free(host: str, port: int) -> None:
    """Return when nobody listens on the port.

    Raises:
        PortTaken: another process does.
    """
    if not _is_free(host, port):
        raise PortTaken(f"Port {port} on {host} is taken: stop what listens there, or set another.")


def free_port(wanted: int = 0, avoid: Sequence[int] = ()) -> int:
    """Return `wanted` if nobody listens there on 127.0.0.1, else any free port not in `avoid`."""
    if wanted and wanted not in avoid and _is_free("127.0.0.1", wanted):
        return wanted
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    return port if port not in avoid else free_port(wanted, avoid)


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        # A port whose last connections are still closing can be taken again, as servers do.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True

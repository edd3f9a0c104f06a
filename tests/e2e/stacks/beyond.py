"""A machine beyond this one, for those who reach out of the replica to be met by somebody."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

PORT = 8000


@contextmanager
def machine_beyond() -> Iterator[str]:
    """The address of a machine at whose `PORT` somebody answers: a network namespace of this one.

    This machine routes to it as to any other. Needs root.
    """
    name = f"terna{os.getpid()}"
    network = os.getpid() % 64 * 4  # 198.51.100.0/24 is for documentation: nobody has it
    near, far = f"198.51.100.{network + 1}", f"198.51.100.{network + 2}"
    with ExitStack() as opened:
        _ip("netns", "add", name)
        opened.callback(_ip, "netns", "delete", name)
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("address", "add", f"{near}/30", "dev", name)
        _ip("link", "set", name, "up")
        _ip("-n", name, "address", "add", f"{far}/30", "dev", "eth0")
        _ip("-n", name, "link", "set", "eth0", "up")
        _ip("-n", name, "route", "add", "default", "via", near)
        opened.enter_context(_listening(name))
        yield far


@contextmanager
def _listening(namespace: str) -> Iterator[None]:
    # The backlog accepts: nobody needs to take the connections.
    listen = (
        f"import socket; s = socket.create_server(('', {PORT})); print('up', flush=True); input()"
    )
    with subprocess.Popen(
        ["ip", "netns", "exec", namespace, sys.executable, "-c", listen],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as listener:
        assert listener.stdout
        assert listener.stdout.readline() == b"up\n"
        yield
        listener.kill()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)

"""A way from this machine to a container that publishes no port."""

import socket
from collections.abc import Callable
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Self

Address = tuple[str, int]


class Forwarder(ThreadingTCPServer):
    """Connections to `port` of 127.0.0.1 end where `target` says at that moment."""

    daemon_threads = True

    def __init__(self, target: Callable[[], Address]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.target = target
        self.port = int(self.server_address[1])

    def __enter__(self) -> Self:
        Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Connection(BaseRequestHandler):
    server: Forwarder

    def handle(self) -> None:
        # Where nobody answers, the connection just ends, as it would without a forwarder.
        with (
            suppress(OSError),
            socket.create_connection(self.server.target(), timeout=5) as far,
        ):
            far.settimeout(None)
            answers = Thread(target=_pass_on, args=(far, self.request), daemon=True)
            answers.start()
            _pass_on(self.request, far)
            answers.join()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)

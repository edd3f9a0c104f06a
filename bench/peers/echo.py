"""What serving could reach at most: its own server around an app that only parses."""

from typing import Any

import msgspec
from granian import Granian
from granian.constants import Interfaces

from terna.settings import Serving, Settings

ANSWER = b'{"predictions":["no"]}'
HEADERS = [("content-type", "application/json")]


class Echo:
    """An RSGI application that answers a constant."""

    async def __rsgi__(self, _scope: object, protocol: Any) -> None:
        msgspec.json.decode(await protocol())
        protocol.response_bytes(200, HEADERS, ANSWER)


def build() -> Echo:
    return Echo()


def serve(serving: Serving) -> None:
    """As terna.serving.app runs its own application."""
    Granian(
        "bench.peers.echo:build",
        factory=True,
        interface=Interfaces.RSGI,
        address=serving.host,
        port=serving.port,
        workers=serving.workers,
        websockets=False,
        respawn_failed_workers=True,
        ssl_cert=serving.certificate,
        ssl_key=serving.key,
    ).serve()


if __name__ == "__main__":
    serve(Settings.load().serving)

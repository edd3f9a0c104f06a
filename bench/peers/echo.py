"""What serving could reach at most: its own server around an app that only parses."""

from typing import Any

import msgspec

from terna.serving.server import run
from terna.settings import Settings

ANSWER = b'{"predictions":["no"]}'
HEADERS = [("content-type", "application/json")]


class Echo:
    """An RSGI application that answers a constant."""

    def __rsgi_init__(self, _loop: object) -> None:
        """Begin."""

    def __rsgi_del__(self, _loop: object) -> None:
        """End."""

    async def __rsgi__(self, _scope: object, protocol: Any) -> None:
        msgspec.json.decode(await protocol())
        protocol.response_bytes(200, HEADERS, ANSWER)


def build() -> Echo:
    """Build the application of one worker."""
    return Echo()


if __name__ == "__main__":
    run("bench.peers.echo:build", Settings.load().serving)

"""The servers as local processes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from terna.erp.from_settings import connection_of
from terna.local.servers import LocalServers, local_settings
from terna.progress import Silent
from terna.settings import Settings
from tests.adversarial.listener import Listener
from tests.e2e.stacks.stack import Stack
from tests.ports import settings_on_free_ports

TEMPORARY = Path(tempfile.gettempdir())


class LocalStack(Stack):
    """The servers as local processes, in a folder of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._settings = local_settings(root, settings_on_free_ports())
        self._servers = LocalServers(root, self._settings, Silent())

    @property
    def settings(self) -> Settings:
        return self._settings

    def __enter__(self) -> Self:
        self._servers.__enter__()
        self._servers.wait("serving")
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.close()

    def terna(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "terna", *arguments],
            env=os.environ | self.settings.environment() | settings,
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def bring(self, file: Path) -> str:
        return str(file)

    def stop(self, server: str) -> None:
        self._servers.stop(server)

    def start(self, server: str) -> None:
        serving = self.settings.serving.model_copy(update={"model": self.model, **self.changed})
        self._servers.settings = replace(self.settings, serving=serving)
        self._servers.start(server)
        self._servers.wait(server)

    @property
    def listeners(self) -> list[Listener]:
        address = "127.0.0.1", self.settings.serving.port
        return [Listener("serving", address, "localhost", connection_of(self.settings.erp))]

    @property
    def serving_process(self) -> int:
        return self._servers.process("serving")

    def log(self, server: str) -> str:
        return (self.root / f".terna/logs/{server}.log").read_text()

    def kept_outside_server_1(self) -> Iterator[tuple[str, bytes]]:
        """Server 1's own folder too, where tables are encrypted; and what is left in /tmp."""
        left = [path for each in TEMPORARY.glob("tmp*") for path in (each, *each.rglob("*"))]
        for path in (*(self.root / ".terna").rglob("*"), *left):
            with suppress(OSError):  # somebody else's, or gone
                if path.is_file():
                    yield str(path), path.read_bytes()

    def read_artifact(self, path: str) -> bytes:
        return Path(self.settings.tracking.artifacts_destination, path).read_bytes()

    def write_artifact(self, path: str, content: bytes) -> None:
        Path(self.settings.tracking.artifacts_destination, path).write_bytes(content)

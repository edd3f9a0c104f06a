"""The platform as its users meet it: commands, an HTTPS endpoint, a registry."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mlflow import MlflowClient

from terna.embedded.replica import Replica, local_settings
from terna.erp.labels import Labels
from terna.progress import Silent
from terna.registry import connect
from tests.ports import settings_on_free_ports

FOLLOWS = 10
"""Seconds within which a promotion is served."""


class EmbeddedStack:
    """The servers as local processes, in a folder of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = local_settings(root, settings_on_free_ports())
        self._replica = Replica(root, self.settings, Silent())

    def __enter__(self) -> "EmbeddedStack":
        self._replica.__enter__()
        self._replica.wait("serving")
        return self

    def __exit__(self, *_: object) -> None:
        self._replica.close()

    def terna(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Type `terna …` on the training server."""
        return subprocess.run(
            [sys.executable, "-m", "terna", *arguments],
            env=os.environ | self.settings.environment() | settings,
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def train(self, *arguments: str) -> str:
        """Train, and return what was printed; fails the test when the command does."""
        done = self.terna("train", "--trials", "3", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def labels(self) -> Labels:
        """The ERP's client."""
        return Labels(self.settings.erp)

    def registry(self) -> MlflowClient:
        """MLflow's own client, for what a person does in its UI."""
        return connect(self.settings.tracking)

    def wait_for_version(self, number: int) -> None:
        """Return when this version answers; fails the test when that takes too long."""
        with self.labels() as labels:
            self.wait_until(lambda: labels.version() == number)

    def wait_until(self, happened: Callable[[], bool]) -> None:
        """Return when it has; fails the test when that takes longer than users were promised."""
        deadline = time.monotonic() + FOLLOWS
        while not happened():
            assert time.monotonic() < deadline, f"not within {FOLLOWS} s"
            time.sleep(0.1)

    def tamper_with(self, version: int, name: str = "rfc_tune") -> None:
        """Change one byte of a stored model, as somebody with access to the artifacts could."""
        source = self.registry().get_model_version_download_uri(name, str(version))
        model = Path(self.settings.tracking.artifacts, source.removeprefix("mlflow-artifacts:/"))
        stored = model / "model.skops"
        content = bytearray(stored.read_bytes())
        content[len(content) // 2] ^= 1
        stored.write_bytes(content)

    def stop(self, server: str) -> None:
        self._replica.stop(server)

    def start(self, server: str, **changes: str) -> None:
        """Start a stopped server again, with other settings where given."""
        changed = getattr(self.settings, server).model_copy(update=changes)
        self._replica.settings = replace(self.settings, **{server: changed})
        self._replica.start(server)
        self._replica.wait(server)
        self._replica.settings = self.settings

    def log(self, server: str) -> str:
        return (self.root / f".terna/logs/{server}.log").read_text()

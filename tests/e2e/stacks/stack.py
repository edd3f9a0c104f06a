"""The platform as its users meet it: commands, an HTTPS endpoint, a registry."""

import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from mlflow import MlflowClient

from terna.erp.client import Client
from terna.registry.client import connect
from terna.settings import Settings

PATIENCE = 120
"""Seconds after which what has not happened will not: far more than a busy machine needs."""


class Stack(ABC):
    """Three running servers, and what their users do with them."""

    @property
    @abstractmethod
    def settings(self) -> Settings:
        """How this machine reaches the servers."""

    @abstractmethod
    def terna(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Type `terna …` on the training server, with settings of its own where given."""

    @abstractmethod
    def bring(self, file: Path) -> str:
        """Put a file where `terna` finds it; returns the name under which it does."""

    @abstractmethod
    def stop(self, server: str) -> None:
        """Stop one server; the others go on."""

    @abstractmethod
    def start(self, server: str, **changes: str) -> None:
        """Start a stopped server, with other settings where given; returns when it answers."""

    @abstractmethod
    def log(self, server: str) -> str:
        """All that a server has said."""

    @abstractmethod
    def read_artifact(self, path: str) -> bytes:
        """A file that the tracking server keeps, from where it keeps it."""

    @abstractmethod
    def write_artifact(self, path: str, content: bytes) -> None:
        """Replace such a file behind the tracking server's back."""

    def train(self, *arguments: str) -> str:
        """Train, and return what was printed; fails the test when the command does."""
        done = self.terna("train", "--trials", "3", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def labels(self) -> Client:
        """The ERP's client."""
        return Client(self.settings.erp)

    def registry(self) -> MlflowClient:
        """MLflow's own client, for what a person does in its UI."""
        return connect(self.settings.tracking)

    def wait_for_version(self, number: int) -> None:
        """Return when this version answers; fails the test when it never does."""
        with self.labels() as labels:
            self.wait_until(lambda: labels.version() == number)

    def wait_until(self, happened: Callable[[], bool]) -> None:
        """Return when it has; fails the test when it never does."""
        deadline = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < deadline, (
                f"not within {PATIENCE} s; serving's last words:\n{self.log('serving')[-2000:]}"
            )
            time.sleep(0.1)

    def tamper_with(self, version: int, name: str = "rfc_tune") -> None:
        """Change one byte of a stored model, as somebody with access to the artifacts could."""
        stored = self.stored_model(version, name)
        content = bytearray(self.read_artifact(stored))
        content[len(content) // 2] ^= 1
        self.write_artifact(stored, bytes(content))

    def stored_model(self, version: int, name: str = "rfc_tune") -> str:
        """Where a version's model is among the artifacts."""
        source = self.registry().get_model_version_download_uri(name, str(version))
        return f"{source.removeprefix('mlflow-artifacts:/')}/model.skops"

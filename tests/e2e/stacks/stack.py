"""The platform as its users meet it: commands, an HTTPS endpoint, a registry."""

import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from mlflow import MlflowClient

from terna.erp.client import Client
from terna.erp.from_settings import connection_of
from terna.registry.client import connect
from terna.settings import Settings
from tests.adversarial.listener import Listener

PATIENCE = 120
"""Seconds after which what has not happened will not: far more than a busy machine needs."""


class Stack(ABC):
    """Three running servers, and what their users do with them."""

    model = "rfc_tune"
    """What serving answers for, and what is trained and promoted."""
    changed: Mapping[str, float] = MappingProxyType({})
    """Settings of serving that are not the stack's own."""

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
    def start(self, server: str) -> None:
        """Start a stopped server; returns when it answers."""

    @abstractmethod
    def log(self, server: str) -> str:
        """All that a server has said."""

    @abstractmethod
    def read_artifact(self, path: str) -> bytes:
        """A file that the tracking server keeps, from where it keeps it."""

    @abstractmethod
    def write_artifact(self, path: str, content: bytes) -> None:
        """Replace such a file behind the tracking server's back."""

    @abstractmethod
    def kept_outside_server_1(self) -> Iterator[tuple[str, bytes]]:
        """All that the servers have written, but what stays on server 1: each with where it is."""

    @property
    @abstractmethod
    def listeners(self) -> list[Listener]:
        """Where clients may ask for labels: the reverse proxy if there is one, and serving."""

    @property
    @abstractmethod
    def serving_process(self) -> int:
        """The process of serving that started its others, as this machine numbers it."""

    def serve(self, model: str, **changed: float) -> None:
        """Have serving answer for this model, which is restarted where it is another one.

        Args:
            changed: settings of serving until it answers for another model.
        """
        if (model, changed) != (self.model, self.changed):
            self.stop("serving")
            self.model, self.changed = model, changed
            self.start("serving")

    def train(self, *arguments: str) -> str:
        """Train, and return what was printed; fails the test when the command does."""
        done = self.terna("train", "--trials", "3", "--name", self.model, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def promote(self, number: int, *options: str) -> None:
        """Promote a version by `terna promote`; fails the test when the command does."""
        done = self.terna("promote", str(number), "--name", self.model, *options)
        assert done.returncode == 0, done.stderr

    def in_production(self) -> int | None:
        """Return the version with the alias `production`; None where there is none."""
        found = self.registry().search_registered_models(f"name = '{self.model}'")
        return next((int(each.aliases["production"]) for each in found if each.aliases), None)

    def ensure_versions(self, count: int) -> None:
        """Train until there are so many versions; the last one trained is in production."""
        while len(self.registry().search_model_versions(f"name = '{self.model}'")) < count:
            self.train()

    def ensure_serving(self, version: int) -> None:
        """Promote a version unless it is in production, and return when it answers."""
        self.ensure_versions(version)
        if self.in_production() != version:
            self.promote(version)
        self.wait_for_version(version)

    def labels(self) -> Client:
        """The ERP's client; nobody is asked again who is busy."""
        return Client(replace(connection_of(self.settings.erp), deadline_seconds=0))

    def registry(self) -> MlflowClient:
        """MLflow's own client, logged in as the administrator, for what people do in its UI."""
        return connect(self.settings.tracking.model_copy(update={"user": "admin"}))

    def wait_for_version(self, number: int) -> None:
        """Return when this version answers; fails the test when it never does."""
        with self.labels() as labels:
            self.wait_until(lambda: labels.version() == number)

    def wait_until(self, happened: Callable[[], bool], server: str = "serving") -> None:
        """Return when it has; fails the test with this server's last lines when it never does."""
        deadline = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < deadline, (
                f"not within {PATIENCE} s; the end of {server}'s log:\n{self.log(server)[-2000:]}"
            )
            time.sleep(0.1)

    def tamper_with(self, version: int) -> None:
        """Change one byte of a stored model, as somebody with access to the artifacts could."""
        stored = self.stored_model(version)
        content = bytearray(self.read_artifact(stored))
        content[len(content) // 2] ^= 1
        self.write_artifact(stored, bytes(content))

    def stored_model(self, version: int) -> str:
        """Return where a version's model is among the artifacts."""
        source = self.registry().get_model_version_download_uri(self.model, str(version))
        return f"{source.removeprefix('mlflow-artifacts:/')}/model.skops"

"""A Compose project of its own, in a fresh clone of its own."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self
from uuid import uuid4

from tests.e2e.stacks.checkout import Checkout
from tests.engine import docker
from tests.ports import free_ports

REMOVE = """
read -r _
ours="--filter label=com.docker.compose.project=$1"
docker ps --all --quiet $ours | xargs --no-run-if-empty docker rm --force
docker network ls --quiet $ours | xargs --no-run-if-empty docker network rm
docker volume ls --quiet $ours | xargs --no-run-if-empty docker volume rm
rm -rf "$2"
"""
"""What waits for the end of its input, and removes a project and its clone."""


class Project:
    """What `docker compose` makes of a fresh clone. Nothing runs before `up`, nothing after it."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.name = f"terna-{uuid4().hex[:8]}"
        self.checkout = Checkout()
        self.ssh_port, self.https_port = free_ports(2222, 8443)
        self.ui_port, _ = free_ports(5000, 8124)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self._removed_at_last())
        self._open.enter_context(self.checkout)
        self._open.callback(self._remove)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def up(self, *services: str, **settings: str) -> None:
        """`docker compose up --wait`: all of it, or these services and what they depend on."""
        done = self._compose("up", "--wait", *services, **settings)
        assert done.returncode == 0, done.stderr[-2000:] + self.compose("logs", "--tail", "20")

    def compose(self, *arguments: str, **settings: str) -> str:
        """`docker compose …`; returns what it printed, fails the test when it fails."""
        done = self._compose(*arguments, **settings)
        assert done.returncode == 0, f"{done.args}: {done.stderr[-4000:]}"
        return done.stdout

    def environment(self, **settings: str) -> dict[str, str]:
        """What tells this project from others on this machine, and settings as `.env` has them."""
        return {
            "COMPOSE_PROJECT_NAME": self.name,
            "TERNA_TAG": self.tag,
            "TERNA_SSH_PORT": str(self.ssh_port),
            "TERNA_HTTPS_PORT": str(self.https_port),
            **settings,
        }

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine knows of a service's container."""
        return dict(json.loads(docker("inspect", f"{self.name}-{service}-1"))[0])

    def addresses(self, service: str) -> list[str]:
        """A container's address in each of its networks; none while it does not run."""
        networks = self.inspect(service)["NetworkSettings"]["Networks"].values()
        return [network["IPAddress"] for network in networks if network["IPAddress"]]

    def secret(self, name: str) -> str:
        return (self.checkout.root / "secrets" / name).read_text().strip()

    def _compose(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return self.checkout.run(["docker", "compose", *arguments], self.environment(**settings))

    @contextmanager
    def _removed_at_last(self) -> Iterator[None]:
        """Leave nothing behind, even where this process is killed, as pytest-xdist does."""
        with subprocess.Popen(
            ["bash", "-c", REMOVE, "remove", self.name, str(self.checkout.root.parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        ):
            yield

    def _remove(self) -> None:
        self.compose("down", "--volumes", "--timeout", "20", "--remove-orphans")

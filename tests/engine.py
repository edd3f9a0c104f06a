"""The Docker engine that some tests need, and the images of this checkout."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.checkout import ROOT

SOCKET = Path("/var/run/docker.sock")


def need_engine() -> None:
    """Skip the test where no Docker engine answers; in CI that fails it."""
    if reason := why_not():
        report = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        report(f"no Docker engine: {reason}")


def why_not() -> str:
    """What keeps this machine from running the replica in containers; empty where nothing does."""
    if not SOCKET.exists():
        return f"there is no {SOCKET}: scripts/engine installs and starts one"
    for asked, remedy in (
        (["info"], "start the engine, and join the group that may talk to it"),
        (["compose", "version"], "install Compose 2.26 or newer: scripts/engine"),
        (["buildx", "version"], "install buildx: scripts/engine"),
    ):
        if not _works(["docker", *asked]):
            return f"`docker {' '.join(asked)}` fails: {remedy}"
    return ""


def docker(*arguments: str, **environment: str) -> str:
    """What a docker command prints; fails the test when the command does."""
    return _run(["docker", *arguments], environment)


def build_images() -> str:
    """Make this checkout's images, at once where nothing has changed; returns their tag."""
    tag = os.environ.get("TERNA_TAG", "dev")
    _run([str(ROOT / "scripts/base-image")], {})
    docker("compose", "build", "--quiet", TERNA_TAG=tag)
    return tag


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-4000:]}"
    return done.stdout


def _works(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False

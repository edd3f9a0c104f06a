"""The Docker engine of this machine, and the images of this checkout."""

import os
import subprocess
from collections.abc import Sequence

from tests.e2e.stacks.checkout import ROOT, SOCKET

TAG = os.environ.get("TERNA_TAG", "dev")
"""What the images are called that the tests build and run."""


def why_not() -> str:
    """What keeps this machine from running the replica in containers; empty where nothing does."""
    if not SOCKET.exists():
        return f"there is no {SOCKET}: install Docker Engine 20.10 or newer, and start it"
    for asked, remedy in (
        (["docker", "info"], "start the engine, and join the group that may talk to it"),
        (["docker", "compose", "version"], "install Compose 2.26 or newer"),
        (["docker", "buildx", "version"], "install buildx"),
    ):
        if not _works(asked):
            return f"`{' '.join(asked)}` fails: {remedy}"
    return ""


def build_images() -> None:
    """The images, as this checkout makes them; at once where nothing has changed."""
    for command in (["scripts/base-image"], ["docker", "compose", "build", "--quiet"]):
        built = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | {"TERNA_TAG": TAG},
            capture_output=True,
            text=True,
            check=False,
        )
        assert built.returncode == 0, f"{' '.join(command)}: {built.stderr[-4000:]}"


def _works(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False

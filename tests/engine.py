"""The Docker engine that some tests need."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def need_engine() -> None:
    """Skip the test where no Docker engine answers; in CI that fails it."""
    if _answers("docker", "info") and _answers("docker", "buildx", "version"):
        return
    reason = "needs a Docker engine with buildx that answers: scripts/engine"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def docker(*arguments: str, **environment: str) -> str:
    """What a docker command prints; fails the test when the command does."""
    done = subprocess.run(
        ["docker", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _answers(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False

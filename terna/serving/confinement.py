"""Confines the processes that run a model's code: no secrets, and the first to go."""

import os
from contextlib import suppress
from pathlib import Path

from terna.predictor.model_process import SECRET_PREFIXES


def forget_secrets() -> None:
    """Remove settings and passwords from this process's environment, which children inherit."""
    for name in [*os.environ]:
        if name.startswith(SECRET_PREFIXES):
            del os.environ[name]


def go_first_when_memory_ends() -> None:
    """Have the kernel end this process, and what it starts, before a worker or the agent."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")

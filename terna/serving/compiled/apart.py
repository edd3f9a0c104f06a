"""Compiling in a process of its own.

A worker that serves a program then holds neither scikit-learn nor MLflow, and a model that takes
all memory or time to compile takes it elsewhere.
"""

import os
import subprocess
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from terna import signing
from terna.contracts.errors import NotCompilable
from terna.serving.compiled.program import FILE, Program

LIBRARIES = ("llvmlite", "mlflow-skinny", "numpy", "pandas", "scikit-learn")
LONGEST_REASON = 200


def obtain(folder: Path, place: Path, timeout: float = 120) -> Program:
    """The program of a verified model directory: the one that is in `place`, or a new one.

    Raises:
        NotCompilable: with the reason, in one line.
    """
    try:
        return Program.load(place, digest(folder))
    except NotCompilable:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(place, FILE).unlink(missing_ok=True)
        _compile(folder, place, timeout)
        return Program.load(place, digest(folder))


def digest(folder: Path) -> str:
    """Of what a program depends on: the signed files, our own code and the libraries."""
    code = sorted(Path(__file__).parent.glob("*.*"))
    parts = [Path(folder, signing.SIGNATURE), *(file for file in code if file.is_file())]
    versions = [f"{name}=={version(name)}" for name in LIBRARIES]
    made_of = [sys.version, *versions, *(sha256(p.read_bytes()).hexdigest() for p in parts)]
    return sha256("\n".join(made_of).encode()).hexdigest()


def _compile(folder: Path, place: Path, timeout: float) -> None:
    """One thread in the original's libraries: more would take the cores of requests."""
    command = [sys.executable, "-m", "terna.serving.compiled", str(folder), str(place)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotCompilable(f"compiling took more than {timeout:.0f} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"compiling ended with {done.returncode}"]
        raise NotCompilable(lines[-1][:LONGEST_REASON])

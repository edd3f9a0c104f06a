"""The peers' virtual environment, made on demand from pinned packages."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from terna.errors import TernaError
from terna.progress import Reporter

PEERS = Path(__file__).parent
REQUIREMENTS = PEERS.parent / "requirements-peers.txt"
FOLDER = PEERS.parents[1] / ".terna/bench/peers"


def made(reporter: Reporter) -> Path:
    """Return its Python; what is there already is used when it was made from the same pins.

    Raises:
        TernaError: the packages cannot be installed.
    """
    python, note = FOLDER / "bin/python", FOLDER / "made-from"
    made_from = f"{sys.version}\n{REQUIREMENTS.read_text()}"
    if not note.exists() or note.read_text() != made_from:
        with reporter.step("installing the peers"):
            note.unlink(missing_ok=True)
            _run([sys.executable, "-m", "venv", "--clear", str(FOLDER)])
            options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
            _run([str(python), "-m", "pip", "install", *options, "-r", str(REQUIREMENTS)])
            note.write_text(made_from)
    return python


def converted(python: Path, model: Path) -> Path:
    """Return the folder of a model directory's forest in ONNX.

    Raises:
        TernaError: it does not convert.
    """
    folder = model.with_name(f"{model.name}-onnx")
    _run([str(python), str(PEERS / "to_onnx.py"), str(model), str(folder)])
    return folder


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise TernaError(f"{Path(command[0]).name} failed: {last}")

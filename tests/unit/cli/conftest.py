"""What the tests of the command line run with."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.running import Terna


@pytest.fixture
def terna(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terna:
    monkeypatch.chdir(tmp_path)
    for variable in os.environ:
        if variable.startswith("TERNA_"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("MLFLOW_LOGGING_LEVEL", "ERROR")  # which main() sets where it is missing
    monkeypatch.setenv("COLUMNS", "200")
    return Terna(monkeypatch, capsys)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])

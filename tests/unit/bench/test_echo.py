"""The echo says what serving could reach, so it must stand on the same server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.peers import echo
from terna.serving import app
from terna.settings import Serving


class Started(Exception):
    """With what a server would have been started."""

    def __init__(self, _target: str, **settings: Any) -> None:
        super().__init__()
        self.settings = settings


def started(
    monkeypatch: pytest.MonkeyPatch, module: Any, serve: Callable[[Serving], None], serving: Serving
) -> dict[str, Any]:
    def raising(target: str, **settings: Any) -> None:
        raise Started(target, **settings)

    monkeypatch.setattr(module, "Granian", raising)
    with pytest.raises(Started) as caught:
        serve(serving)
    return caught.value.settings


def test_the_echo_runs_on_the_settings_that_serving_runs_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    serving = Serving(certificate=file, key=file, verify_key=file, folder=tmp_path, workers=3)
    of_serving = started(monkeypatch, app, app.serve, serving)
    assert started(monkeypatch, echo, echo.serve, serving) == of_serving

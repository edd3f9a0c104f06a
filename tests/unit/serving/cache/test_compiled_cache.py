"""The compiled cache: only what this server has compiled and sealed for a version is used."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from terna.serving.cache import compiled_cache
from terna.serving.cache.compiled_cache import CompiledCache
from tests.unit.workshop import Server2


def test_compiled_model_sealed_with_another_secret_is_not_loaded(
    server: Server2, tmp_path: Path
) -> None:
    version = server.promote()
    folder = server.models.path_for(version)
    server.poll_once()
    other = tmp_path / "other.key"
    other.write_text("another secret")

    assert server.compiled_cache.load(version, folder) is not None
    assert CompiledCache(other).load(version, folder) is None


@pytest.mark.parametrize(
    "change", [{"number": 2}, {"name": "fraud"}, {"source": "memory:/m-9"}, {"run_id": "run9"}]
)
def test_compiled_model_of_another_version_is_not_loaded(
    server: Server2, change: dict[str, str]
) -> None:
    version = server.promote()
    folder = server.models.path_for(version)
    server.poll_once()

    assert server.compiled_cache.load(replace(version, **change), folder) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("place", [0, 40, 200, -1], ids=["seal", "its end", "compiled", "end"])
def test_tampered_compiled_model_is_not_used_and_reported(
    server: Server2, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    version = server.promote()
    server.poll_once()
    file = compiled_cache.path_for(server.models.path_for(version))
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    caplog.clear()

    server.restart_worker()
    server.loader.poll_once()

    assert server.active.version == version
    assert server.active.get().backend == "pyfunc"
    (line,) = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert "changed or damaged in the model cache: not used" in line

"""The compiled cache: only what this server has compiled and sealed is used."""

from pathlib import Path

import pytest

from terna.serving.cache import compiled_cache
from terna.serving.cache.compiled_cache import CompiledCache
from tests.unit.workshop import Server2


def test_compiled_model_sealed_with_another_secret_is_not_loaded(
    server: Server2, tmp_path: Path
) -> None:
    folder = server.models.path_for(server.promote())
    server.poll_once()
    other = tmp_path / "other.key"
    other.write_text("another secret")

    assert server.compiled_cache.load(folder) is not None
    assert CompiledCache(other).load(folder) is None


@pytest.mark.parametrize("place", [0, 40, -1], ids=["the seal", "the compiled", "its end"])
def test_tampered_compiled_model_is_not_used(server: Server2, place: int) -> None:
    version = server.promote()
    server.poll_once()
    file = compiled_cache.path_for(server.models.path_for(version))
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)

    server.restart_worker()
    server.loader.poll_once()

    assert server.active.version == version
    assert server.active.get().backend == "pyfunc"

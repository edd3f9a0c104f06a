"""A worker's loader: it serves the current version of the model cache without the registry."""

import threading
import time
from collections.abc import Callable

import pytest

from terna.serving.agent.reconciler import BACKEND_TAG
from terna.serving.endpoints.active_model import ActiveModel
from tests.unit.workshop import NAME, InProcessPool, Server2, tamper


def test_current_version_is_served_without_the_registry(server: Server2) -> None:
    version = server.promote()
    server.poll_once()
    server.registry.reachable = False
    server.restart()

    server.loader.poll_once()

    assert server.active.version == version


def test_new_machine_starts_without_a_model(server: Server2) -> None:
    server.loader.poll_once()

    assert server.active.version is None


def test_tampered_directory_is_not_served_and_is_removed(
    server: Server2, caplog: pytest.LogCaptureFixture
) -> None:
    version = server.promote()
    server.poll_once()
    tamper(server.models.path_for(version))
    server.compiled_cache.remove(server.models.path_for(version))
    server.restart()

    server.loader.poll_once()

    assert server.active.version is None
    assert server.kept() == set()
    assert "the current version is not served" in caplog.text


def test_restarted_worker_uses_the_compiled_model_made_here(server: Server2) -> None:
    version = server.promote()
    server.poll_once()

    server.restart_worker()
    server.loader.poll_once()

    assert server.active.version == version
    assert server.active.get().backend == "compiled"
    assert server.registry.tags[NAME, version.number][BACKEND_TAG] == "compiled: trees"


def test_unusable_folder_does_not_stop_the_start(
    server: Server2, caplog: pytest.LogCaptureFixture
) -> None:
    version = server.promote()
    server.poll_once()
    server.compiled_cache.remove(server.models.path_for(version))
    lock = server.folder / NAME / ".lock"
    lock.unlink()
    lock.mkdir()
    server.restart()

    server.loader.poll_once()

    assert server.active.version is None
    assert "the current version is not served: unexpected IsADirectoryError" in caplog.text


def test_two_workers_serve_the_same_promotions(server: Server2) -> None:
    other = ActiveModel()
    second = server.new_loader(other)
    for _ in range(3):
        version = server.promote()
        server.poll_once()
        second.poll_once()
        assert (server.active.version, other.version) == (version, version)

    assert server.kept() == {2, 3}
    assert server.unfinished() == []


def test_loader_thread_loads_each_version_until_it_is_stopped(server: Server2) -> None:
    server.loader.start()
    version = server.promote()
    server.reconciler.poll_once()
    wait_until(lambda: server.active.version == version)

    server.loader.stop()

    wait_until(lambda: "loader" not in {thread.name for thread in threading.enumerate()})


def test_version_is_swapped_in_once_its_pool_has_loaded_it(server: Server2) -> None:
    server.promote()
    server.poll_once()
    waited: list[str] = []

    class Loading(InProcessPool):
        def wait_until_loaded(self) -> None:
            waited.append(str(server.active.version))

    server.new_pool = Loading
    version = server.promote()
    server.poll_once()

    assert waited == ["churn version 1"]  # it answered meanwhile
    assert server.active.version == version


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)

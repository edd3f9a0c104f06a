"""A worker's loader: it serves the current version of the model cache without the registry."""

import threading
import time
from collections.abc import Callable

import pytest

from terna.serving.agent.reconciler import BACKEND_TAG
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.loader import Loader
from tests.unit.workshop import NAME, Server2, tamper


def test_the_verified_local_copy_is_served_without_asking_the_registry(server: Server2) -> None:
    version = server.promote()
    server.poll_once()
    server.registry.reachable = False
    server.restart()

    server.loader.poll_once()

    assert server.active.version == version


def test_a_new_machine_starts_without_a_model(server: Server2) -> None:
    server.loader.poll_once()

    assert server.active.version is None


def test_a_tampered_local_copy_is_not_served_and_is_thrown_away(
    server: Server2, caplog: pytest.LogCaptureFixture
) -> None:
    version = server.promote()
    server.poll_once()
    tamper(server.models.verified(version))
    server.compiled_cache.remove(server.models.path_for(version))
    server.restart()

    server.loader.poll_once()

    assert server.active.version is None
    assert server.kept() == set()
    assert "the current version is not served" in caplog.text


def test_a_restarted_worker_answers_by_the_program_that_was_made_here(server: Server2) -> None:
    version = server.promote()
    server.poll_once()

    server.restart_worker()
    server.loader.poll_once()

    assert server.active.version == version
    assert server.active.get().backend == "compiled"
    assert server.registry.tags[NAME, version.number][BACKEND_TAG] == "compiled: trees"


def test_a_folder_that_cannot_be_used_does_not_stop_the_start(
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


def test_two_workers_follow_the_same_promotions(server: Server2) -> None:
    other = ActiveModel()
    second = Loader(NAME, server.worker(), server.compiled_cache, other)
    for _ in range(3):
        version = server.promote()
        server.poll_once()
        second.poll_once()
        assert (server.active.version, other.version) == (version, version)

    assert server.kept() == {2, 3}
    assert server.unfinished() == []


def test_a_worker_follows_by_itself_until_it_is_stopped(server: Server2) -> None:
    server.loader.start()
    version = server.promote()
    server.reconciler.poll_once()
    wait_until(lambda: server.active.version == version)

    server.loader.stop()

    wait_until(lambda: "loader" not in {thread.name for thread in threading.enumerate()})


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)

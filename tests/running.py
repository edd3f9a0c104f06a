"""Servers as processes, for tests that ask real ones."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from terna.contracts.version import Version
from terna.local.servers import LocalServers, ensure_local_secrets, local_settings
from terna.progress import Silent
from terna.serving.agent.validator import Validator
from terna.serving.cache.compiled_cache import CompiledCache
from terna.serving.cache.model_cache import ModelCache
from terna.settings import Settings
from tests.ports import settings_on_free_ports
from tests.unit.workshop import NAME, Workshop


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Return when it holds; fails the test when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@contextmanager
def running(server: str, root: Path, settings: Settings) -> Iterator[LocalServers]:
    """Run `tracking` or `serving` alone, from when it answers."""
    servers = LocalServers(root, settings, Silent())
    try:
        servers.start(server)
        servers.wait(server)
        yield servers
    finally:
        servers.close()


@contextmanager
def running_with_a_model(root: Path, workshop: Workshop, **changed: Any) -> Iterator[LocalServers]:
    """Run serving alone, with a compiled model that it finds in its model cache.

    Args:
        changed: settings of serving.
    """
    settings = local_settings(root, settings_on_free_ports(), model=NAME)
    serving = settings.serving.model_copy(update=changed)
    settings = replace(settings, serving=serving)
    settings.training.signing_key.parent.mkdir(parents=True)
    shutil.copy(workshop.folder / "signing.key", settings.training.signing_key)
    ensure_local_secrets(settings, root)
    version = Version(NAME, 1, "memory:/m-1", "run1")
    copies = ModelCache(serving.cache_dir, serving.verify_key, serving.key)
    workshop.make(copies.path_for(version))
    verdict = Validator(copies, CompiledCache(serving.key), serving).validate(version)
    copies.set_current(version, verdict)
    with running("serving", root, settings) as replica:
        yield replica

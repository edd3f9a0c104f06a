"""A real MLflow tracking server, over TLS."""

from collections.abc import Iterator

import pytest

from terna.local.servers import ensure_local_secrets, local_settings
from terna.settings import Settings
from tests.ports import settings_on_free_ports
from tests.running import running


@pytest.fixture(scope="package")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings of a platform whose tracking server answers."""
    root = tmp_path_factory.mktemp("terna")
    settings = local_settings(root, settings_on_free_ports())
    ensure_local_secrets(settings, root)
    with running("tracking", root, settings):
        yield settings

"""What every test of the Tryton module needs: the ERP's keys."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from trytond.config import config


@pytest.fixture(scope="session", autouse=True)
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder like `secrets/erp`, which trytond's configuration names."""
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "identity.key").write_bytes(Fernet.generate_key())
    (folder / "search.key").write_text("1" * 64)
    (folder / "pseudonym.key").write_text("2" * 64)
    if not config.has_section("terna"):
        config.add_section("terna")
    config.set("terna", "secrets", str(folder))
    yield folder
    config.remove_section("terna")

"""What every test of the Tryton module needs: the ERP's keys."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from trytond.config import config

from tests.integration.tryton.server import make_database


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


@pytest.fixture(scope="session")
def erp_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Return what makes a folder with a database in which Terna's module is activated."""
    template = tmp_path_factory.mktemp("template")
    make_database(template)

    def make() -> Path:
        return Path(shutil.copytree(template, tmp_path_factory.mktemp("erp"), dirs_exist_ok=True))

    return make

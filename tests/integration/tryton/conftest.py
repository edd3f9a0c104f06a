"""Tryton with the module on SQLite in memory, the ERP's keys, and a real serving server."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from trytond.config import config
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, activate_module
from trytond.transaction import Transaction

from terna.contracts.version import Version
from terna.erp.client import Client
from terna.erp.from_settings import connection_of
from terna.erp.tryton import server2
from terna.erp.tryton.mapping import map_schema
from terna.local.servers import LocalServers, ensure_local_secrets, local_settings
from terna.security import signing
from terna.serving.cache.model_cache import ModelCache
from tests.fakes import MemoryRegistry
from tests.integration.differential.models import customers
from tests.integration.tryton import postgres
from tests.integration.tryton.server import DATABASE, make_database
from tests.ports import settings_on_free_ports
from tests.running import running

NAME = "churn"
VALUES = {"minutes": 120.5, "plan": "basic", "calls": 3, "vip": True}


@dataclass
class Server2:
    """Serving alone, with versions that its model cache holds."""

    root: Path
    servers: LocalServers
    copies: ModelCache
    registry: MemoryRegistry
    versions: list[Version]

    def promote(self, number: int) -> None:
        """Have another version served, and return when it answers."""
        version = self.versions[number - 1]
        self.copies.fetch(version, self.registry)
        self.copies.set_current(version)
        with Client(connection_of(self.servers.settings.erp)) as client:
            while client.version() != number:
                pass

    def labels(self, *rows: dict[str, Any]) -> list[str]:
        """What the client of any other ERP gets."""
        with Client(connection_of(self.servers.settings.erp)) as client:
            return client.predict(rows).labels

    def probabilities(self, *rows: dict[str, Any]) -> list[float | None]:
        """What it gets of their probabilities."""
        with Client(connection_of(self.servers.settings.erp)) as client:
            return [each.probability for each in client.predict(rows, probabilities=True)]


@pytest.fixture(scope="package")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server2]:
    """Server 2, whose first version answers; two are in its registry."""
    root = tmp_path_factory.mktemp("terna")
    settings = local_settings(root, settings_on_free_ports(), NAME)
    ensure_local_secrets(settings, root)
    with pytest.warns():  # MLflow's own, when a model is saved
        customers.published(root / "model")
    signing.sign(root / "model", settings.training.signing_key)
    registry = MemoryRegistry(root / "registry")
    versions = [registry.register(NAME, root / "model", "m-1", "run1") for _ in range(2)]
    copies = ModelCache(
        settings.serving.cache_dir, settings.serving.verify_key, settings.serving.key
    )
    copies.fetch(versions[0], registry)
    copies.set_current(versions[0])
    with running("serving", root, settings) as servers:
        yield Server2(root, servers, copies, registry, versions)


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


@pytest.fixture(scope="package")
def activated() -> None:
    """The module is activated in the database of this process."""
    activate_module("terna")


@pytest.fixture
def tryton(activated: None) -> Iterator[Pool]:  # noqa: ARG001
    """A transaction of somebody who may handle cases, that is rolled back."""
    with Transaction().start(DB_NAME, 1) as transaction:
        group = Pool().get("ir.model.data").get_id("terna", "group_case_handler")
        users = Pool().get("res.user")
        users.write([users(1)], {"groups": [("add", [group])]})
        yield Pool()
        transaction.rollback()


@pytest.fixture
def asks_server_2(serving: Server2, monkeypatch: pytest.MonkeyPatch) -> Server2:
    """The module asks this server 2."""
    erp = serving.servers.settings.erp
    for name in ("endpoint", "ca", "api_key_file", "certificate", "key"):
        monkeypatch.setenv(f"TERNA_ERP_{name.upper()}", str(getattr(erp, name)))
    return serving


@pytest.fixture
def endpoint(tryton: Pool, asks_server_2: Server2) -> Any:  # noqa: ARG001
    """The endpoint, with the features that the model's schema has."""
    model, schema = server2.read_schema()
    map_schema(model, schema)
    (found,) = tryton.get("terna.endpoint").search([("name", "=", NAME)])
    found.labels = "no: Stays: success\nyes: Leaves: danger"
    found.save()
    return found


@pytest.fixture
def customer(tryton: Pool, endpoint: Any) -> Callable[..., Any]:
    """Make a customer with these values, where they are others than usual."""

    def make(**changed: Any) -> Any:
        (party,) = tryton.get("party.party").create([{"name": "Ada"}])
        features = {"party": party.id, "endpoint": endpoint.id, "values": VALUES | changed}
        (made,) = tryton.get("terna.customer.features").create([features])
        return made

    return make


def run_tasks() -> int:
    """Run what is in the queue, as Tryton does after a request; return how many tasks."""
    transaction, queue = Transaction(), Pool().get("ir.queue")
    tasks = list(transaction.tasks)
    transaction.tasks.clear()
    for task in queue.browse(tasks):
        task.run()
    return len(tasks)


@pytest.fixture(scope="session")
def erp_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Return what makes a folder with a database in which Terna's module is activated."""
    template = tmp_path_factory.mktemp("template")
    make_database(template)

    def make() -> Path:
        return Path(shutil.copytree(template, tmp_path_factory.mktemp("erp"), dirs_exist_ok=True))

    return make


@pytest.fixture(scope="session")
def on_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder like those, whose database is in a Postgres, and the URI of that."""
    if not postgres.PROGRAMS:
        pytest.skip("needs Debian's postgresql")
    folder = tmp_path_factory.mktemp("erp")
    with postgres.postgres() as uri:
        postgres.run("createdb", "--maintenance-db", f"{uri}/postgres", DATABASE)
        make_database(folder, uri)
        yield folder, uri

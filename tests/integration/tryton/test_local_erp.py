"""The ERP beside the demo's servers: Tryton on SQLite, as processes of its own."""

import sqlite3
import ssl
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from terna.local import erp
from terna.local.erp import LocalErp
from terna.progress import Silent
from tests.integration.tryton.conftest import Server2
from tests.integration.tryton.server import WEB_CLIENT

COLUMNS = ("minutes", "plan", "calls", "vip")
CUSTOMERS = [[120.5, "basic", 3, True], [10.0, "extra", 0, False], [250.0, "basic", 8, True]]
ADMINISTRATION = "SELECT count(*) FROM res_group WHERE name = 'Administration'"


class Running:
    """An ERP that runs, and what its database has."""

    def __init__(self, erp: LocalErp, serving: Server2) -> None:
        self.erp = erp
        self.root = serving.root
        self.http = httpx.Client(
            base_url=erp.url,
            verify=ssl.create_default_context(cafile=serving.servers.settings.erp.ca),
            timeout=60,
        )

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        (database,) = self.root.glob(".terna/erp/*/erp.sqlite")
        with closing(sqlite3.connect(database, timeout=30)) as connection:
            found = connection.execute(query).fetchall()
            connection.commit()
            return found

    def groups(self, login: str) -> list[str]:
        return [
            name
            for (name,) in self.sql(
                'SELECT g.name FROM res_group g JOIN "res_user-res_group" l ON l."group" = g.id'
                f" JOIN res_user u ON l.user = u.id WHERE u.login = '{login}'"
            )
        ]


@pytest.fixture(scope="module")
def running(serving: Server2) -> Iterator[Running]:
    settings = serving.servers.settings
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erp, "WEB_CLIENT", WEB_CLIENT)
        with LocalErp(serving.root, settings, Silent(), COLUMNS, CUSTOMERS) as up:
            running = Running(up, serving)
            yield running
            running.http.close()


def test_each_customer_has_the_label_of_the_model_that_is_served(
    running: Running, serving: Server2
) -> None:
    rows = [dict(zip(COLUMNS, customer, strict=True)) for customer in CUSTOMERS]
    stored = running.sql("SELECT label FROM terna_customer_features ORDER BY party")
    assert [label for (label,) in stored] == serving.labels(*rows)
    assert running.sql("SELECT count(*) FROM party_party") == [(len(CUSTOMERS),)]


def test_first_users_log_in_by_their_passwords_and_a_second_factor(running: Running) -> None:
    password = (running.erp.passwords / "clerk").read_text()
    page = running.http.post(
        "/erp/terna/second-factor", data={"login": "clerk", "password": password}
    )
    assert page.is_success
    assert 'id="secret"' in page.text
    wrong = running.http.post("/erp/terna/second-factor", data={"login": "clerk", "password": "x"})
    assert 'id="secret"' not in wrong.text


def test_tryton_s_own_user_has_the_rights_of_the_administrator_and_no_others(
    running: Running,
) -> None:
    assert running.sql(ADMINISTRATION) == [(1,)]
    assert running.groups("admin") == ["Administrator"]


def test_first_users_have_roles_so_that_another_one_takes_nothing_away(running: Running) -> None:
    roles = "SELECT count(*) FROM res_user_role r JOIN res_user u ON r.user = u.id"
    assert running.sql(f"{roles} WHERE u.login = 'clerk'") == [(1,)]
    assert running.groups("clerk") == ["Clerk"]


def test_table_of_the_customers_is_left_nowhere_and_files_are_the_owner_s(
    running: Running,
) -> None:
    files = [path for path in (running.root / ".terna/erp").rglob("*") if path.is_file()]
    assert "customers.csv" not in {path.name for path in files}
    assert {path.stat().st_mode & 0o077 for path in files} == {0}


def test_setting_up_again_changes_nothing_but_rights_that_are_too_many(
    running: Running, serving: Server2
) -> None:
    """As after an update of Tryton, and after somebody has deactivated its user."""
    running.sql(
        'INSERT INTO "res_user-res_group" (user, "group")'
        " SELECT 1, id FROM res_group WHERE name = 'Administration'"
    )
    running.sql("UPDATE res_user SET active = 0 WHERE login = 'admin'")
    assert sorted(running.groups("admin")) == ["Administration", "Administrator"]
    users, labels = "SELECT login, active FROM res_user", "SELECT count(*) FROM terna_label"
    before = running.sql(users), running.sql(labels)

    with LocalErp(serving.root, serving.servers.settings, Silent(), COLUMNS, CUSTOMERS):
        pass

    assert running.groups("admin") == ["Administrator"]
    assert (running.sql(users), running.sql(labels)) == before


@pytest.mark.skipif(erp.web_client_series(WEB_CLIENT) != erp.SERIES, reason="needs tryton-sao 7.0")
def test_web_client_is_shown(running: Running) -> None:
    assert "<title>Tryton</title>" in running.http.get("/").text
    assert "as one of admin, analyst" in running.erp.describe_web_client()

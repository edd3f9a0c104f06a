"""The ERP's database: made, brought to this version of the module, with users and customers."""

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

from trytond import admin
from trytond.pool import Pool
from trytond.transaction import Transaction

from terna.erp.tryton import configuration, first_customers

LANGUAGES = ("en", "es", "de")

FIRST_USER = "admin"
"""Whom Tryton itself makes."""

USERS = {
    "clerk": "group_clerk",
    "case-handler": "group_case_handler",
    "analyst": "group_analyst",
    "auditor": "group_auditor",
    FIRST_USER: "group_administrator",
}
"""The first users, one of each role, by the XML id of its group."""


def run(database: str, customers: Path | None) -> None:
    """Make what is missing in a database. Safe to run again: what is there stays as it is.

    Args:
        database: its name. Where the server has none of that name, as SQLite, it is made.
        customers: a table with a row of features for each of the customers to begin with, who are
            made where there are none; None for an ERP without customers.

    Raises:
        SettingsError: a secret cannot be read.
        DataError: the table cannot be read.
    """
    update(database)
    pool = Pool(database)
    with Transaction().start(database, 0):
        _ensure_users(pool)
    if customers:
        with Transaction().start(database, 0):
            first_customers.ensure(pool, customers)


def update(database: str) -> None:
    """Activate the module, or bring its data to this version, with trytond-admin's own code."""
    os.environ["TRYTONPASSFILE"] = str(configuration.secrets() / "users" / FIRST_USER)  # of Tryton's first user, when that is made
    admin.run(
        Namespace(
            database_names=[database],
            update=["terna"],
            activatedeps=True,
            update_modules_list=False,
            languages=list(LANGUAGES),
            email="",
            password=False,
            reset_password=False,
            test_email=None,
            hostname=None,
            validate=None,
        )
    )


def _ensure_users(pool: Any) -> None:
    """Make the users that are missing; Tryton's first one gets its role."""
    User = pool.get("res.user")  # noqa: N806 - Tryton's way to name a model
    for login, name in USERS.items():
        found = User.search([("login", "=", login)])
        group = [("add", _groups(pool, name))]
        if not found:
            password = configuration.password(login)
            User.create([{"name": login, "login": login, "password": password, "groups": group}])
        elif login == FIRST_USER:
            User.write(found, {"groups": group})


def _groups(pool: Any, name: str) -> list[int]:
    found = pool.get("ir.model.data").search([("module", "=", "terna"), ("fs_id", "=", name)])
    return [each.db_id for each in found]

"""The ERP's database: made, brought to this version of the module, with users and customers."""

import os
import time
from argparse import Namespace
from pathlib import Path

from trytond import admin
from trytond.pool import Pool
from trytond.transaction import Transaction, inactive_records

from terna.erp.schema import Schema
from terna.erp.tryton import configuration, first_customers, server2
from terna.erp.tryton.mapping import map_schema
from terna.errors import ServingUnreachable

SERVED_SECONDS = 600
"""How long it may take until the version in production is served, on a busy machine."""

LANGUAGES = ("en", "es", "de")

FIRST_USER = "admin"
"""Whom Tryton itself makes."""

USERS = {
    "clerk": "role_clerk",
    "case-handler": "role_case_handler",
    "analyst": "role_analyst",
    "auditor": "role_auditor",
}
"""The other first users, one of each role, by its XML id."""

HOMES = {
    "clerk": "act_customer_features",
    "case-handler": "act_customer_features",
    "analyst": "act_customer_features",
    "auditor": "act_access",
}
"""What they see when they have logged in, by the XML id of its action."""


def run(database: str, customers: Path | None) -> None:
    """Make what is missing in a database. Safe to run again: what is there stays as it is.

    Args:
        database: its name. It exists already, and may be empty.
        customers: a table with a row of features for each of the customers to begin with, who are
            made where there are none; None for an ERP without customers.

    Raises:
        SettingsError: a password cannot be read.
        DataError: the table cannot be read.
    """
    update(database)
    with Transaction().start(database, 0):
        _ensure_users()
    if customers:
        with Transaction().start(database, 0):
            first_customers.ensure_parties(customers)


def label(database: str, customers: Path | None) -> None:
    """Make the endpoint of what server 2 serves, and ask for each label that nobody has asked for.

    Args:
        database: where `run` was before.
        customers: that table: its rows become the features of customers who have none.

    Raises:
        ServingUnreachable: server 2 describes no model.
        ServingRefused: it does not take the API key.
        DataError: the table cannot be read, or does not fit the customers.
    """
    Pool.start()
    Pool(database).init()
    name, schema = _served()
    with Transaction().start(database, 0):
        map_schema(name, schema, first_customers.choices(customers) if customers else {})
        if customers:
            Endpoint = Pool().get("terna.endpoint")  # noqa: N806 - Tryton's way to name a model
            (endpoint,) = Endpoint.search([("name", "=", name)])
            first_customers.ensure_features(endpoint, customers)
    with Transaction().start(database, 0):
        Features = Pool().get("terna.customer.features")  # noqa: N806
        new = Features.search([("endpoint.name", "=", name), ("why", "=", "new")])
        Features.ask_label(new)


def _served() -> tuple[str, Schema]:
    """Return the name and the schema of the model that is served, once it is.

    Raises:
        ServingUnreachable: it is not in time.
        ServingRefused: server 2 does not take the API key.
    """
    deadline = time.monotonic() + SERVED_SECONDS
    while True:
        try:
            return server2.read_schema()
        except ServingUnreachable:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def update(database: str) -> None:
    """Activate the module, or bring its data to this version, with trytond-admin's own code."""
    # Whom Tryton itself makes gets this password.
    os.environ["TRYTONPASSFILE"] = str(configuration.secrets() / "users" / FIRST_USER)
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


def _ensure_users() -> None:
    """Make the users that are missing, and restrict Tryton's first one.

    They have roles, not groups: Tryton takes those from a user who gets another role.
    """
    User = Pool().get("res.user")  # noqa: N806
    with inactive_records():  # who was deactivated is not missing
        there = {user.login for user in User.search([("login", "in", list(USERS))])}
    for login in USERS.keys() - there:
        user = {"name": login, "login": login, "password": configuration.password(login)}
        roles, actions = [("create", [{"role": _id(USERS[login])}])], [("add", _home(login))]
        User.create([user | {"roles": roles, "actions": actions}])
    _restrict_first_user()


def _restrict_first_user() -> None:
    """Leave Tryton's first user the rights of our administrator.

    Tryton's group Administration may change access rights themselves, and an update of Tryton gives
    it to this user again. Its groups are no roles: Tryton gives this user none.
    """
    User, find = Pool().get("res.user"), Pool().get("ir.model.data").get_id  # noqa: N806
    first = User(find("res", "user_admin"))
    wanted, groups = {_id("group_administrator")}, {group.id for group in first.groups}
    if groups != wanted:
        change = [("remove", list(groups - wanted)), ("add", list(wanted - groups))]
        User.write([first], {"groups": change})


def _id(name: str) -> int:
    return int(Pool().get("ir.model.data").get_id("terna", name))


def _home(login: str) -> list[int]:
    return [Pool().get("ir.action.act_window")(_id(HOMES[login])).action.id]

"""A new connection to a database takes the password as it is now."""

from typing import Any

import pytest

from terna.settings import Tracking
from terna.tracking.database_passwords import connect


class WrongPassword(Exception):
    """Of the database."""


class Database:
    """A dialect of SQLAlchemy's whose database takes one password, and notes all that it gets."""

    class loaded_dbapi:  # noqa: N801
        """Its driver."""

        OperationalError = WrongPassword

    def __init__(self, password: str) -> None:
        self.password = password
        self.asked: list[str] = []

    def connect(self, **parameters: Any) -> str:
        self.asked.append(parameters["password"])
        if parameters["password"] != self.password:
            raise WrongPassword
        return f"connected as {parameters['user']}"


def settings(password: str) -> Tracking:
    return Tracking(
        backend_store_uri=f"postgresql+psycopg2://tracking:{password}@postgres/tracking",
        auth_database_uri="postgresql+psycopg2://auth:of-auth@postgres/auth",
    )


def parameters(password: str = "first", **other: str) -> dict[str, Any]:
    of_tracking = {"host": "postgres", "dbname": "tracking", "user": "tracking"}
    return of_tracking | {"password": password} | other


def test_new_password_of_the_settings_is_used_and_remembered() -> None:
    database, own = Database("second"), parameters()
    found = connect(lambda: settings("second"), database, None, [], own)
    assert found == "connected as tracking"
    assert own["password"] == "second"


def test_password_that_the_database_does_not_know_yet_leaves_the_one_before() -> None:
    database, own = Database("first"), parameters()
    assert connect(lambda: settings("second"), database, None, [], own) is None
    assert own["password"] == "first"


@pytest.mark.parametrize(
    "own", [parameters(), parameters(dbname="other"), {}], ids=["same", "other", "SQLite"]
)
def test_nothing_is_done_where_no_password_has_changed(own: dict[str, Any]) -> None:
    database = Database("first")
    assert connect(lambda: settings("first"), database, None, [], own) is None
    assert database.asked == []

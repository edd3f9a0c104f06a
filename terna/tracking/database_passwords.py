"""Database passwords that change while the server runs: new connections use the new one."""

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import URL, event, make_url
from sqlalchemy.engine import Engine

from terna.settings import Tracking


def follow(settings: Callable[[], Tracking]) -> None:
    """Have this process's new connections use the passwords of the settings as they are then.

    Connections that are open stay: Postgres asks for a password only when one begins.
    """
    event.listen(Engine, "do_connect", partial(connect, settings))


def connect(
    settings: Callable[[], Tracking],
    dialect: Any,
    _record: object,
    arguments: list[Any],
    parameters: dict[str, Any],
) -> Any:
    """Return a connection with a password that has changed; None where there is none or it fails.

    SQLAlchemy then connects with the one that worked last: the database may not know the new one
    yet. `parameters` are the engine's own, and keep what worked.
    """
    password = _password(settings(), parameters)
    if password is None or password == parameters.get("password"):
        return None
    try:
        connection = dialect.connect(*arguments, **(parameters | {"password": password}))
    except dialect.loaded_dbapi.OperationalError:
        return None
    parameters["password"] = password
    return connection


def _password(tracking: Tracking, parameters: dict[str, Any]) -> str | None:
    """Return the password of the URL whose database and role a connection has."""
    place = parameters.get("dbname"), parameters.get("user")
    urls: list[URL] = [make_url(tracking.backend_store_uri), make_url(tracking.auth_database_uri)]
    return next(
        (u.password for u in urls if u.password and (u.database, u.username) == place), None
    )

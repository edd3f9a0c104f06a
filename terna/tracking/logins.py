"""Who may do what on the tracking server: MLflow's basic-auth, with least rights for each caller.

https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/
"""

import configparser
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from mlflow.utils.workspace_utils import DEFAULT_WORKSPACE_NAME

from terna.errors import SettingsError

if TYPE_CHECKING:
    # Imported where used, as these bring in the whole of MLflow's server.
    from mlflow.server.auth.entities import Role
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

ADMIN = "admin"
GRANTS: Mapping[str, Mapping[str, str]] = {
    # Creates experiments, runs and versions, and promotes; deletes only what it made.
    "training": {"experiment": "EDIT", "registered_model": "EDIT"},
    # Reads a version's files, tags what became of it, completes a promotion.
    "serving": {"experiment": "READ", "registered_model": "EDIT"},
    # May ask, and sees nothing.
    "health": {"experiment": "DENY", "registered_model": "DENY"},
}
"""What each login may do with all resources of a type. Whatever is not here is forbidden."""

REMEMBERED = 60
"""Seconds for which a password that was right is not hashed again, which costs tens of ms."""


def ensure_logins(database: str, passwords: Path) -> None:
    """Make the administrator and each login of `GRANTS`; their passwords follow their files.

    Raises:
        SettingsError: a password's file is missing.
    """
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore()
    store.init_db(database)
    for name in (ADMIN, *GRANTS):
        _make_login(store, name, _read(Path(passwords, name)))
    for name, grants in GRANTS.items():
        _make_role(store, name, grants)


def write_config(database: str) -> Path:
    """MLflow's file of settings for its logins, readable by this user only."""
    config = configparser.RawConfigParser()
    config["mlflow"] = {
        "default_permission": "NO_PERMISSIONS",
        "database_uri": database.replace("%", "%%"),
        "admin_username": ADMIN,
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        "auth_cache_ttl_seconds": str(REMEMBERED),
    }
    path = Path(mkdtemp(prefix="terna-"), "basic_auth.ini")
    with path.open("w") as file:
        config.write(file)
    return path


def _read(password: Path) -> str:
    try:
        return password.read_text().strip()
    except OSError:
        raise SettingsError(
            f"{password} is missing: TERNA_TRACKING_LOGINS_DIR is its folder."
        ) from None


def _make_login(store: "SqlAlchemyStore", name: str, password: str) -> None:
    if not store.has_user(name):
        store.create_user(name, password, is_admin=name == ADMIN)
    elif not store.authenticate_user(name, password):
        store.update_user(name, password=password)


def _make_role(store: "SqlAlchemyStore", name: str, grants: Mapping[str, str]) -> None:
    role = _role_of(store, name)
    present = {grant.resource_type for grant in store.list_role_permissions(role.id)}
    for resource, permission in grants.items():
        if resource not in present:
            store.add_role_permission(role.id, resource, "*", permission)


def _role_of(store: "SqlAlchemyStore", name: str) -> "Role":
    """The role that is named as its login."""
    user = store.get_user(name)
    for role in store.list_user_roles(user.id):
        if role.name == name:
            return role
    role = store.create_role(name, DEFAULT_WORKSPACE_NAME)
    store.assign_role_to_user(user.id, role.id)
    return role

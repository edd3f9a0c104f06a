"""The tracking server's users and their permissions: MLflow's basic-auth, with least rights.

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
    # Creates experiments, runs and versions, and promotes; deletes only what it made itself.
    "training": {"experiment": "EDIT", "registered_model": "EDIT"},
    # Reads a version's files, tags it with its result, completes a promotion.
    "serving": {"experiment": "READ", "registered_model": "EDIT"},
    # May send requests, and sees nothing.
    "health": {"experiment": "DENY", "registered_model": "DENY"},
}
"""The permission of each user on all resources of a type. What is not listed is forbidden."""

PASSWORD_CACHE_SECONDS = 60
"""How long a right password is not hashed again, which takes tens of milliseconds."""


def ensure_logins(database: str, passwords: Path) -> None:
    """Make the administrator and each user of `GRANTS`, with the passwords that their files hold.

    Raises:
        SettingsError: a password's file is missing.
    """
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore()
    store.init_db(database)
    for name in (ADMIN, *GRANTS):
        _ensure_user(store, name, _read(Path(passwords, name)))
    for name, grants in GRANTS.items():
        _ensure_role(store, name, grants)


def write_config(database: str) -> Path:
    """Write MLflow's configuration of basic-auth to a private file; return its path."""
    config = configparser.RawConfigParser()
    config["mlflow"] = {
        "default_permission": "NO_PERMISSIONS",
        "database_uri": database.replace("%", "%%"),
        "admin_username": ADMIN,
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        "auth_cache_ttl_seconds": str(PASSWORD_CACHE_SECONDS),
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


def _ensure_user(store: "SqlAlchemyStore", name: str, password: str) -> None:
    if not store.has_user(name):
        store.create_user(name, password, is_admin=name == ADMIN)
    elif not store.authenticate_user(name, password):
        store.update_user(name, password=password)


def _ensure_role(store: "SqlAlchemyStore", name: str, grants: Mapping[str, str]) -> None:
    role = _find_or_make_role(store, name)
    present = {grant.resource_type for grant in store.list_role_permissions(role.id)}
    for resource, permission in grants.items():
        if resource not in present:
            store.add_role_permission(role.id, resource, "*", permission)


def _find_or_make_role(store: "SqlAlchemyStore", name: str) -> "Role":
    """Return the user's role, which has the same name."""
    user = store.get_user(name)
    for role in store.list_user_roles(user.id):
        if role.name == name:
            return role
    role = store.create_role(name, DEFAULT_WORKSPACE_NAME)
    store.assign_role_to_user(user.id, role.id)
    return role

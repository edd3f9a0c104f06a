"""The tracking server's logins: MLflow's basic-auth, with least rights.

Passwords are in files of one folder: those of Terna's own logins, each named as the login, and in
its folder `people` those of people. MLflow's roles say what a login may read and edit, and
`routes.RIGHTS` which routes a login with that role may use.

https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/
"""

import configparser
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Protocol

from mlflow.exceptions import MlflowException
from mlflow.utils.workspace_utils import DEFAULT_WORKSPACE_NAME

from terna.errors import SettingsError
from terna.tracking.routes import RIGHTS, Right

if TYPE_CHECKING:
    # Imported where used, as these bring in the whole of MLflow's server.
    from mlflow.server.auth.entities import Role

logger = logging.getLogger("terna.tracking")

ADMIN = "admin"
GRANTS: Mapping[str, Mapping[str, str]] = {
    # Creates experiments, runs and versions.
    "training": {"experiment": "EDIT", "registered_model": "EDIT"},
    # Moves aliases and stages; MLflow wants MANAGE where an alias is deleted.
    "promoting": {"experiment": "READ", "registered_model": "MANAGE"},
    # Reads a version's files, tags it with its result; MLflow wants EDIT for that.
    "serving": {"experiment": "READ", "registered_model": "EDIT"},
    # May send requests, and sees nothing.
    "health": {"experiment": "DENY", "registered_model": "DENY"},
}
"""The permission of each role on all resources of a type. What is not listed is forbidden.

Each role has one login of its own with the same name; people have roles of these."""

PEOPLE = "people"
"""The folder of people's passwords, and the role by which their logins are told from others."""

PERSONS_ROLES = ("training",)
"""The roles of a person, beside those that the file names."""

PASSWORD_CACHE_SECONDS = 60
"""How long a right password is not hashed again, which takes tens of milliseconds."""

FOLLOW_SECONDS = 2
"""How often the files of passwords are looked at."""


class Logins(Protocol):
    """Who may log in, and with which rights."""

    def rights(self, name: str, password: str) -> frozenset[Right] | None:
        """Return the rights of a login; None where the name or the password is wrong."""


class MLflowLogins:
    """The logins of MLflow's basic-auth, in its database."""

    def __init__(self, database: str, passwords: Path) -> None:
        """Open the database, which is made or upgraded."""
        from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

        self._store = SqlAlchemyStore()
        self._store.init_db(database)
        self._passwords = passwords

    def rights(self, name: str, password: str) -> frozenset[Right] | None:
        """Return the rights of all of the login's roles; every right of an administrator."""
        if not self._store.authenticate_user(name, password):
            return None
        user = self._store.get_user(name)
        if user.is_admin:
            return frozenset(Right)
        roles = self._store.list_user_roles(user.id)
        return frozenset().union(*(RIGHTS.get(role.name, frozenset()) for role in roles))

    def ensure(self) -> None:
        """Make every login with the password of its file, and remove people without a file.

        A person's file that cannot be used is logged, and changes nothing.

        Raises:
            SettingsError: the file of one of Terna's own logins is missing.
        """
        for name in (ADMIN, *GRANTS):
            self._ensure_user(name, _read(self._passwords / name))
        for name, grants in GRANTS.items():
            self._ensure_grants(self._ensure_role(name), grants)
            self._set_roles(name, [name])
        for file in self._people():
            try:
                self.ensure_person(file.name, *_read(file).split())
            except SettingsError as error:
                logger.error("%s", error)
        for name in self._persons() - {file.name for file in self._people()}:
            self.remove_person(name)

    def ensure_person(self, name: str, password: str = "", *roles: str) -> None:
        """Make a person's login, with the rights of `training`, and of other roles.

        Raises:
            SettingsError: the name is one of Terna's own, a role is not for people, or the
                password is too short.
        """
        if name in (ADMIN, *GRANTS) or not set(roles) <= {"promoting"}:
            raise SettingsError(
                f"{self._passwords / PEOPLE / name}: a password, and `promoting` if {name} may"
                " promote; not the name of one of Terna's own logins."
            )
        try:
            self._ensure_user(name, password)
        except MlflowException as error:
            raise SettingsError(f"{self._passwords / PEOPLE / name}: {error.message}") from None
        self._set_roles(name, [PEOPLE, *PERSONS_ROLES, *roles])

    def remove_person(self, name: str) -> None:
        """Remove a person's login; what it made stays."""
        self._store.delete_user(name)

    def fingerprint(self) -> Mapping[str, str]:
        """Return what the files hold now, by their names: what `ensure` would act on."""
        own = (self._passwords / name for name in (ADMIN, *GRANTS))
        return {str(path): _read(path) for path in (*own, *self._people())}

    def _people(self) -> list[Path]:
        folder = self._passwords / PEOPLE
        return sorted(p for p in folder.glob("[!.]*")) if folder.is_dir() else []

    def _persons(self) -> set[str]:
        users = self._store.list_users_with_roles()
        return {user.username for user, roles in users if PEOPLE in {r.name for r in roles}}

    def _ensure_user(self, name: str, password: str) -> None:
        if not self._store.has_user(name):
            self._store.create_user(name, password, is_admin=name == ADMIN)
        elif not self._store.authenticate_user(name, password):
            self._store.update_user(name, password=password)

    def _set_roles(self, user: str, names: Iterable[str]) -> None:
        """Give a login these of Terna's roles, and take its others."""
        user_id, wanted = self._store.get_user(user).id, {self._ensure_role(n).id for n in names}
        ours = {role.id for role in self._roles().values()}
        present = {role.id for role in self._store.list_user_roles(user_id)} & ours
        for role_id in wanted - present:
            self._store.assign_role_to_user(user_id, role_id)
        for role_id in present - wanted:
            self._store.unassign_role_from_user(user_id, role_id)

    def _roles(self) -> "dict[str, Role]":
        known = (*GRANTS, PEOPLE)
        return {role.name: role for role in self._store.list_roles() if role.name in known}

    def _ensure_role(self, name: str) -> "Role":
        return self._roles().get(name) or self._store.create_role(name, DEFAULT_WORKSPACE_NAME)

    def _ensure_grants(self, role: "Role", grants: Mapping[str, str]) -> None:
        present = {grant.resource_type for grant in self._store.list_role_permissions(role.id)}
        for resource, permission in grants.items():
            if resource not in present:
                self._store.add_role_permission(role.id, resource, "*", permission)


def follow(logins: MLflowLogins, changed: Callable[[], None]) -> None:
    """Change the logins whenever their files change, and call `changed`; does not return."""
    seen, trouble = logins.fingerprint(), ""
    while True:
        time.sleep(FOLLOW_SECONDS)
        try:
            found = logins.fingerprint()
            if found != seen:
                logins.ensure()
                changed()
                logger.warning("the logins are as their files are now")
            seen, trouble = found, ""
        except Exception as error:  # the database may be away
            if trouble != (trouble := str(error)):
                logger.error("the logins do not follow their files: %s", error)


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

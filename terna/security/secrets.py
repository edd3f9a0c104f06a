"""The certificates, keys and passwords that the replica's containers need before they start.

Each lies in a folder of the one service that may read it: `certs/SERVICE` and `secrets/SERVICE`.
The checkout's owner owns the files, and the service reads them through its group.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from secrets import token_hex, token_urlsafe

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from terna.files import locked, write_private, write_public
from terna.security import people, signing
from terna.security.api_keys import Scope, ensure_key
from terna.security.ca import Service, ensure_certificates

CLIENTS = ("tracking", "serving", "proxy", "erp", "monitoring")
"""Who shows a certificate: `tracking` to the object store, all others to serving's port."""

SERVICES = tuple(
    Service(name, (name, "localhost", "127.0.0.1"), is_client=name in CLIENTS)
    for name in (
        *("tracking", "postgres", "object-store", "serving"),
        *("proxy", "erp", "erp-database", "monitoring"),
    )
)

API_KEYS = {"erp": Scope.MODELS, "monitoring": Scope.METRICS}
"""The callers of serving that have an API key from the start."""

FORMER = (
    *("tracking/s3", "tracking/bucket", "object-store/tracking.password"),
    "postgres/postgres.password",
)
"""Passwords that earlier releases made, of more than their user needs."""

GROUPS: Mapping[str, int] = {
    "object-store": 10001,
    "serving": 10002,
    "proxy": 10003,
    "training": 10004,
    "tracking": 10005,
    "postgres": 10006,
    "erp-database": 10006,
    "signer": 10007,
    "erp": 10011,
}
"""The group that each container runs as; its Dockerfile makes it."""

DATABASES = {"postgres": ("tracking", "auth", "optuna"), "erp-database": ("erp",)}
"""The databases of each server. The role that may use one has its name."""

ERP_KEYS: Mapping[str, Callable[[], bytes]] = {
    "identity.key": Fernet.generate_key,
    "search.key": lambda: token_hex(32).encode(),
    "pseudonym.key": lambda: token_hex(32).encode(),
}
"""What the ERP encrypts identities with, finds them by, and makes pseudonyms with."""

ERP_USERS = ("admin", "clerk", "case-handler", "analyst", "auditor")
"""The ERP's first users, one of each role; erp/tryton/users.py says which."""

LOGINS = ("admin", "training", "promoting", "serving", "health")
"""Terna's own logins to the tracking server; tracking/logins.py says what each may do."""


def ensure_all(certs: Path, secrets: Path) -> None:
    """Make every certificate, key and password that is missing.

    Raises:
        SettingsError: as `ca.ensure_certificates` and `signing.ensure_signing_keys`.
    """
    ensure_certificates(certs, secrets, SERVICES)
    _move(secrets / "training/signing.key", secrets / "signer/signing.key")
    _move(secrets / "training/authorized_keys", secrets / "training/people/analyst.pub")
    for service in ("training", "serving"):
        signing.ensure_signing_keys(secrets / "signer/signing.key", certs / service / "signing.pub")
        signing.ensure_signing_keys(
            secrets / "release/release.key", certs / service / "release.pub"
        )
    with locked(secrets):
        _ensure_analyst(secrets)
        ensure_table_key(secrets / "training/table.key")
        _ensure_passwords(secrets)
        ensure_erp_secrets(secrets / "erp")
    ensure_api_keys(secrets)
    _ensure_text(secrets / "erp/api-key", _read(secrets / "api-keys/erp"))
    _ensure_copy(certs / "ca.crt", certs / "training/ca.crt")
    for root in (certs, secrets):
        _set_permissions(root, certs.stat())
    os.chown(secrets / ".lock", certs.stat().st_uid, certs.stat().st_gid)


def renew_certificates(certs: Path, secrets: Path) -> None:
    """Make every certificate anew that is due, with the CA's key and those of the services.

    Raises:
        SettingsError: as `ca.ensure_certificates`.
    """
    ensure_certificates(certs, secrets, SERVICES)
    _set_permissions(certs, certs.stat())


def ensure_table_key(path: Path) -> None:
    """Make the key that tables of the training server are encrypted with, where it is missing."""
    if not path.exists():
        write_private(path, token_hex(32).encode())


def ensure_api_keys(secrets: Path) -> list[Path]:
    """Make the API key of each caller that has none; return the files that hold them.

    Raises:
        SettingsError: the file of the digests cannot be read.
    """
    return [
        path
        for name, scope in API_KEYS.items()
        for path in ensure_key(
            secrets / "serving/api-keys.json", secrets / "api-keys" / name, scope
        )
    ]


def _set_permissions(root: Path, owner: os.stat_result) -> None:
    """Make the checkout's owner the owner of every file, and its service the group."""
    for folder in (path for path in root.iterdir() if path.is_dir()):
        group = GROUPS.get(folder.name, owner.st_gid)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner.st_uid, group)
            path.chmod(_mode(path, root.name == "secrets", folder.name in GROUPS))
    for path in root.glob("ca.crt"):
        os.chown(path, owner.st_uid, owner.st_gid)


def _mode(path: Path, secret: bool, shared: bool) -> int:
    if not secret:  # certificates and public keys, which whoever logs in to server 1 needs, too
        return 0o755 if path.is_dir() else 0o644
    if path.is_dir():
        return 0o750 if shared else 0o700
    return 0o640 if shared else 0o600


def _ensure_analyst(secrets: Path) -> None:
    """Make the first person of the training server, and the key pair to log in with."""
    private = secrets / "ssh/id_ed25519"
    if not private.exists():
        key = Ed25519PrivateKey.generate()
        write_private(
            private, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        )
    public = load_ssh_private_key(private.read_bytes(), password=None).public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " analyst"
    people.ensure_people(secrets, "analyst", line)


def _move(former: Path, path: Path) -> None:
    """Put a file of an older release where it is looked for now."""
    if former.exists() and not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        former.rename(path)


def _ensure_passwords(secrets: Path) -> None:
    for server, roles in DATABASES.items():
        for role in roles:
            _ensure_password(secrets / server / f"{role}.password")
    ensure_logins(secrets / "tracking/logins")
    _ensure_password(secrets / "object-store/user")
    _ensure_password(secrets / "object-store/password")
    _ensure_settings(secrets)
    for once in FORMER:
        (secrets / once).unlink(missing_ok=True)


def ensure_logins(folder: Path) -> list[Path]:
    """Make the password of each login to the tracking server that has none; return what it made."""
    missing = [folder / login for login in LOGINS if not (folder / login).exists()]
    for path in missing:
        _ensure_password(path)
    return missing


def ensure_erp_secrets(folder: Path) -> list[Path]:
    """Make each key of the ERP and password of its users that is missing; return what it made."""
    contents = {**ERP_KEYS, **{f"users/{name}": _new_password for name in ERP_USERS}}
    missing = [name for name in contents if not (folder / name).exists()]
    for name in missing:
        write_private(folder / name, contents[name]())
    return [folder / name for name in missing]


def _ensure_settings(secrets: Path) -> None:
    """Write each service's passwords as settings, one file each, into the service's folder."""
    for file, content in {
        "tracking/terna_tracking_backend_store_uri": _database_url(secrets, "psycopg2", "tracking"),
        "tracking/terna_tracking_auth_database_uri": _database_url(secrets, "psycopg2", "auth"),
        "training/terna_training_optuna_storage": _database_url(secrets, "psycopg", "optuna"),
        "tracking/terna_tracking_password": _read(secrets / "tracking/logins/health"),
        "training/terna_tracking_password": _read(secrets / "tracking/logins/training"),
        "training/terna_tracking_promoting_password": _read(secrets / "tracking/logins/promoting"),
        "serving/terna_tracking_password": _read(secrets / "tracking/logins/serving"),
        "erp/terna_erp_database": "[erp]\nhost=erp-database\nuser=erp\nsslmode=verify-full\n"
        "sslrootcert=/certs/ca.crt\n"
        f"password={_read(secrets / 'erp-database/erp.password')}\n",
    }.items():
        _ensure_text(secrets / file, content)


def _database_url(secrets: Path, driver: str, name: str) -> str:
    """Return the URL with which a role opens its database and verifies the server."""
    password = _read(secrets / f"postgres/{name}.password")
    return (
        f"postgresql+{driver}://{name}:{password}@postgres/{name}"
        "?sslmode=verify-full&sslrootcert=/certs/ca.crt"
    )


def _ensure_password(path: Path) -> None:
    if not path.exists():
        write_private(path, _new_password())


def _new_password() -> bytes:
    return token_urlsafe(32).encode()


def _ensure_text(path: Path, text: str) -> None:
    if not path.exists():
        write_private(path, text.encode())


def _ensure_copy(original: Path, copy: Path) -> None:
    if not copy.exists():
        write_public(copy, original.read_bytes())


def _read(path: Path) -> str:
    return path.read_text().strip()

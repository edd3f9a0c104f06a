"""What the replica's servers must have before they start: certificates, keys and passwords.

Each lies in a folder of the one service that may read it: `certs/SERVICE` and `secrets/SERVICE`.
The checkout's owner owns them, and the service reads through its group.
"""

import os
import secrets as chance
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from terna.files import locked, write_private, write_public
from terna.security import signing
from terna.security.ca import Service, ensure_certificates

SERVICES = tuple(
    Service(name, (name, "localhost", "127.0.0.1"))
    for name in ("tracking", "postgres", "object-store", "serving", "erp")
)

GROUPS: Mapping[str, int] = {
    "object-store": 10001,
    "serving": 10002,
    "erp": 10003,
    "training": 10004,
    "tracking": 10005,
    "postgres": 10006,
}
"""The group that each container runs as; its Dockerfile makes it."""

DATABASES = ("tracking", "auth", "optuna")
"""Each a database and the one role that may use it."""

LOGINS = ("admin", "training", "serving", "health")
"""Who logs in to the tracking server; tracking/logins.py says what each may do."""


def ensure_all(certs: Path, secrets: Path) -> None:
    """Everything that the replica needs; never touches what exists.

    Raises:
        SettingsError: as `certificates.ensure_certificates` and `signing.ensure_signing_keys`.
    """
    ensure_certificates(certs, secrets, SERVICES)
    for reader in ("training", "serving"):
        signing.ensure_signing_keys(
            secrets / "training/signing.key", certs / reader / "signing.pub"
        )
    with locked(secrets):
        _make_login(secrets / "ssh/id_ed25519", secrets / "training/authorized_keys")
        _make_passwords(secrets)
    _copy_missing(certs / "ca.crt", certs / "training/ca.crt")
    hand_over(certs, secrets)


def hand_over(certs: Path, secrets: Path) -> None:
    """Give what was made to the checkout's owner, and each folder to the group that reads it."""
    owner = certs.stat()
    for root in (certs, secrets):
        for folder in (path for path in root.iterdir() if path.is_dir()):
            group = GROUPS.get(folder.name, owner.st_gid)
            for path in (folder, *folder.rglob("*")):
                os.chown(path, owner.st_uid, group)
                path.chmod(_mode(path, shared=folder.name in GROUPS))
    for path in (certs / "ca.crt", secrets / ".lock"):
        os.chown(path, owner.st_uid, owner.st_gid)


def _mode(path: Path, shared: bool) -> int:
    if path.is_dir():
        return 0o750 if shared else 0o700
    return 0o640 if shared else 0o600


def _make_login(private: Path, authorized: Path) -> None:
    """The key pair of the analyst who logs in to the training server."""
    if not private.exists():
        key = Ed25519PrivateKey.generate()
        write_private(
            private, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        )
    if not authorized.exists():
        public = load_ssh_private_key(private.read_bytes(), password=None).public_key()
        line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        write_public(authorized, line + b" analyst\n")


def _make_passwords(secrets: Path) -> None:
    for role in ("postgres", *DATABASES):
        _make_password(secrets / f"postgres/{role}.password")
    for login in LOGINS:
        _make_password(secrets / f"tracking/logins/{login}")
    _make_password(secrets / "object-store/user")
    _make_password(secrets / "object-store/password")
    _hand_out(secrets)


def _hand_out(secrets: Path) -> None:
    """Each caller's passwords in its own folder, in the form in which its settings read them."""
    for file, content in {
        "tracking/terna_tracking_backend_store_uri": _database(secrets, "psycopg2", "tracking"),
        "tracking/terna_tracking_auth_database_uri": _database(secrets, "psycopg2", "auth"),
        "training/terna_training_optuna_storage": _database(secrets, "psycopg", "optuna"),
        "tracking/terna_tracking_password": _read(secrets / "tracking/logins/health"),
        "training/terna_tracking_password": _read(secrets / "tracking/logins/training"),
        "serving/terna_tracking_password": _read(secrets / "tracking/logins/serving"),
        "tracking/s3": "[default]\n"
        f"aws_access_key_id = {_read(secrets / 'object-store/user')}\n"
        f"aws_secret_access_key = {_read(secrets / 'object-store/password')}\n",
    }.items():
        _make_missing_text(secrets / file, content)


def _database(secrets: Path, driver: str, name: str) -> str:
    """The URL under which its role finds a database, and verifies the server."""
    password = _read(secrets / f"postgres/{name}.password")
    return (
        f"postgresql+{driver}://{name}:{password}@postgres/{name}"
        "?sslmode=verify-full&sslrootcert=/certs/ca.crt"
    )


def _make_password(path: Path) -> None:
    if not path.exists():
        write_private(path, chance.token_urlsafe(32).encode())


def _make_missing_text(path: Path, text: str) -> None:
    if not path.exists():
        write_private(path, text.encode())


def _copy_missing(original: Path, copy: Path) -> None:
    if not copy.exists():
        write_public(copy, original.read_bytes())


def _read(path: Path) -> str:
    return path.read_text().strip()

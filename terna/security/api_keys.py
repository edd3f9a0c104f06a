"""API keys: made for the callers of serving, of which it keeps the digests only.

A key is `NAME.SECRET`. Its secret has 256 random bits, which nobody can guess: one SHA-256 is
enough, where a password would need a slow hash (NIST SP 800-63B, section 5.1.2.2).
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe

import msgspec

from terna.errors import SettingsError
from terna.files import locked, rewrite, write_private

_NAME = re.compile("[a-z0-9][a-z0-9-]{0,31}")


class Scope(StrEnum):
    """What a key may ask for."""

    MODELS = "models"
    """Predictions, and what is told about models."""
    METRICS = "metrics"


class ApiKey(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One key, as serving keeps it. Several may have the same name while one replaces another."""

    name: str
    digest: str
    """SHA-256 of the whole key, in hexadecimal digits."""
    scope: Scope = Scope.MODELS
    requests_per_second: float = 0
    """How many requests each worker takes of it; 0 for no limit."""

    @property
    def id(self) -> str:
        """What tells it from others of its name."""
        return self.digest[:8]


def digest_of(key: str) -> bytes:
    """Return what is kept of a key."""
    return sha256(key.encode(errors="replace")).digest()


def read_keys(path: Path) -> list[ApiKey]:
    """Return the keys of a file.

    Raises:
        SettingsError: it is missing, or holds something else.
    """
    try:
        keys = msgspec.json.decode(path.read_bytes(), type=list[ApiKey])
        if all(len(bytes.fromhex(key.digest)) == sha256().digest_size for key in keys):
            return keys
    except OSError as error:
        raise SettingsError(
            f"The file of API keys {path} cannot be read ({error.strerror}):"
            " `terna certificates` makes it."
        ) from None
    except ValueError:
        pass
    raise SettingsError(f"{path} holds no list of API keys: put it back, or delete it.")


def add_key(
    path: Path, name: str, scope: Scope = Scope.MODELS, requests_per_second: float = 0
) -> str:
    """Make a key, and write its digest to the file; return the key, which is kept nowhere.

    Raises:
        SettingsError: the name or the limit cannot be used; the file cannot be read or written.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{name!r} is no name of a key: use a to z, 0 to 9 and '-', up to 32.")
    if requests_per_second < 0:
        raise SettingsError("A limit is a positive number of requests a second, or 0 for none.")
    key = f"{name}.{token_urlsafe(32)}"
    added = ApiKey(name, digest_of(key).hex(), scope, requests_per_second)
    with locked(path.parent):
        _write(path, [*(read_keys(path) if path.exists() else []), added])
    return key


def remove_keys(path: Path, name: str, key_id: str = "") -> list[ApiKey]:
    """Remove the keys of a name, or the one of this id; return them.

    Raises:
        SettingsError: there is none; the file cannot be read or written.
    """
    with locked(path.parent):
        keys = read_keys(path)
        removed = [key for key in keys if key.name == name and key.id.startswith(key_id)]
        if not removed:
            raise SettingsError("There is no such API key: `terna api-keys list` lists them.")
        _write(path, [key for key in keys if key not in removed])
    return removed


def ensure_key(path: Path, copy: Path, scope: Scope, requests_per_second: float = 0) -> list[Path]:
    """Make the key of a caller, where it has none, and its own copy; return what was made.

    Args:
        copy: the caller's file, which holds the key itself; its name is the key's.

    Raises:
        SettingsError: as `add_key`.
    """
    if copy.exists():
        return []
    write_private(copy, add_key(path, copy.name, scope, requests_per_second).encode())
    return [copy]


def _write(path: Path, keys: Sequence[ApiKey]) -> None:
    try:
        rewrite(path, msgspec.json.format(msgspec.json.encode(keys), indent=1) + b"\n")
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written ({error.strerror}): run this as root, who may keep the file"
            " its owner and group."
        ) from None

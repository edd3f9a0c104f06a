"""Rotation: a new password or API key for one that is in use, on both sides.

The side that sends it is changed first. It goes on with what it has until that is refused, and then
reads its file again: so there is no moment at which the two sides do not fit.
"""

import time
from collections.abc import Callable
from pathlib import Path
from secrets import token_urlsafe

from terna.errors import SettingsError
from terna.files import locked, rewrite
from terna.security.api_keys import ApiKey, add_key, read_keys, remove_keys

API_KEYS = "api-keys"
PASSWORDS = (
    *("tracking/logins/[a-z]*", "postgres/*.password", "erp-database/*.password"),
    "object-store/password",
)
"""What is rotated: files below the folder of secrets."""

SETTINGS = "*/terna_*"
"""The files in which services find passwords, alone or in a URL."""

TAKEN_SECONDS = 3
"""Seconds after which serving's workers know a new key: they look four times in each."""

RESTARTED = {"object-store/password": "object-store"}
"""What takes its new password when it starts."""


def rotatable(secrets: Path) -> list[str]:
    """Return the names of what can be rotated: paths below the folder of secrets."""
    patterns = (f"{API_KEYS}/[a-z]*", *PASSWORDS)
    found = (path for pattern in patterns for path in secrets.glob(pattern) if path.is_file())
    return sorted(str(path.relative_to(secrets)) for path in found)


def rotate(
    secrets: Path, name: str, overlap_seconds: float, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Replace a password or an API key by a new one.

    Args:
        name: one of `rotatable`.
        overlap_seconds: how long an API key still works after its successor has replaced it in the
            caller's file; a password has no such time.

    Raises:
        SettingsError: there is nothing of that name, or a file cannot be read or written.
    """
    if name not in rotatable(secrets):
        raise SettingsError(
            f"{name!r} cannot be rotated. What can be is: {', '.join(rotatable(secrets))}."
        )
    try:
        if name.startswith(f"{API_KEYS}/"):
            _rotate_api_key(secrets, secrets / name, overlap_seconds, sleep)
        else:
            _rotate_password(secrets, secrets / name)
    except OSError as error:
        raise SettingsError(
            f"{name} is not rotated ({error.strerror}): run this as root, who may keep the files"
            " their owners and groups."
        ) from None


def _rotate_password(secrets: Path, path: Path) -> None:
    with locked(secrets):
        before, after = path.read_text().strip(), token_urlsafe(32)
        for copy in secrets.glob(SETTINGS):
            text = copy.read_text()
            if before in text:
                rewrite(copy, text.replace(before, after).encode())
        rewrite(path, after.encode())


def _rotate_api_key(
    secrets: Path, path: Path, overlap_seconds: float, sleep: Callable[[float], None]
) -> None:
    digests = secrets / "serving/api-keys.json"
    before = [key for key in read_keys(digests) if key.name == path.name]
    if not before:
        raise SettingsError(f"Serving knows no API key {path.name}: `terna api-keys list`.")
    newest: ApiKey = before[-1]
    after = add_key(digests, path.name, newest.scope, newest.requests_per_second)
    sleep(TAKEN_SECONDS)
    own = secrets / path.name / "api-key"  # of a caller that is a container
    for copy in (path, *([own] if own.exists() else [])):
        rewrite(copy, after.encode())
    sleep(overlap_seconds)
    for key in before:
        remove_keys(digests, key.name, key.id)

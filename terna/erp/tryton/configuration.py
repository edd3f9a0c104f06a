"""What `trytond.conf` says of Terna, in its section `[terna]`."""

from dataclasses import replace
from pathlib import Path

from trytond.config import config

from terna.erp.connection import Connection
from terna.erp.from_settings import connection_of
from terna.errors import SettingsError
from terna.settings import Erp

CONNECTION = ("endpoint", "ca", "api_key_file", "certificate", "key", "timeout_seconds")


def secrets() -> Path:
    """Return the folder with the ERP's keys, `secrets/erp` of the checkout."""
    return Path(option("secrets", "/secrets"))


def password(login: str) -> str:
    """Return the password with which one of the first users is made.

    Raises:
        SettingsError: its file cannot be read.
    """
    try:
        return (secrets() / "users" / login).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The password of {login} cannot be read ({type(error).__name__}): init-secrets, or"
            " `terna certificates`, makes it."
        ) from None


def option(name: str, default: str = "") -> str:
    """Return an option of the section, or the default where it is not set."""
    return str(config.get("terna", name, default=default))


def read_file(name: str) -> str:
    """Return the secret in the file that an option names; empty where it is not set.

    Raises:
        SettingsError: the file cannot be read.
    """
    if not (path := option(name)):
        return ""
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name} in [terna]: {path}: {type(error).__name__}") from None


def connection() -> Connection:
    """Return how server 2 is reached: as the section says, else as the settings `TERNA_ERP_…`.

    Who looks at a form waits: a busy server is asked again by the queue.
    """
    said = {name: option(name) for name in CONNECTION}
    erp = Erp(**{name: value for name, value in said.items() if value})  # type: ignore[arg-type]
    return replace(connection_of(erp), deadline_seconds=erp.timeout_seconds)

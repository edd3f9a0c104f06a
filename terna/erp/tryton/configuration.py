"""What the section [terna] of trytond's configuration file says."""

from pathlib import Path

from trytond.config import config

from terna.errors import SettingsError


def secrets() -> Path:
    """Return the folder with the ERP's keys, `secrets/erp` of the checkout."""
    return Path(config.get("terna", "secrets", default="/secrets"))


def option(name: str, default: str = "") -> str:
    """Return another option, or the default where it is not set."""
    return str(config.get("terna", name, default=default))


def key_lines() -> list[bytes]:
    """Return the Fernet keys of encrypted columns, the one in use first.

    Raises:
        SettingsError: their file cannot be read.
    """
    try:
        return (secrets() / "identity.key").read_bytes().split()
    except OSError as error:
        raise SettingsError(f"identity.key cannot be read: {error.strerror}.") from None

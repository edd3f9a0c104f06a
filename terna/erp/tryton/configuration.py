"""What `trytond.conf` says of Terna, in its section `[terna]`."""

from pathlib import Path

from trytond.config import config

from terna.errors import SettingsError


def option(name: str, default: str = "") -> str:
    """Return an option of the section, or the default where it is not set."""
    return str(config.get("terna", name, default=default))


def secret(name: str) -> bytes:
    """Return what a file in the folder of secrets holds.

    Raises:
        SettingsError: there is no such file, or it cannot be read.
    """
    file = Path(option("secrets", "secrets/erp")) / name
    try:
        return file.read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"The secret {name} cannot be read: {error.strerror}.") from None

"""What the section [terna] of trytond's configuration file says."""

from pathlib import Path

from trytond.config import config


def secrets() -> Path:
    """Return the folder with the ERP's keys, `secrets/erp` of the checkout."""
    return Path(config.get("terna", "secrets", default="/secrets"))


def option(name: str, default: str = "") -> str:
    """Return another option, or the default where it is not set."""
    return str(config.get("terna", name, default=default))

"""What the section [terna] of trytond's configuration file says."""

from pathlib import Path

from trytond.config import config


def secrets() -> Path:
    """Return the folder with the ERP's keys, `secrets/erp` of the checkout."""
    return Path(config.get("terna", "secrets", default="/secrets"))

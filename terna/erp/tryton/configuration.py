"""What `trytond.conf` says of Terna, in its section `[terna]`."""

from trytond.config import config

from terna.settings import Erp

CONNECTION = ("endpoint", "ca", "api_key_file", "certificate", "key", "timeout_seconds")


def option(name: str, default: str = "") -> str:
    """Return an option of the section, or the default where it is not set."""
    return str(config.get("terna", name, default=default))


def erp() -> Erp:
    """Return how server 2 is reached: as the section says, else as the settings `TERNA_ERP_…`."""
    said = {name: option(name) for name in CONNECTION}
    return Erp(**{name: value for name, value in said.items() if value})  # type: ignore[arg-type]

"""Server 2's commands: the tracking server."""

from terna.ports import check_free
from terna.settings import Settings


def track() -> None:
    """Run the MLflow tracking server and registry."""
    from terna.tracking.server import serve

    settings = Settings.load().tracking
    check_free(settings.host, settings.port)
    serve(settings)


def init_stores() -> None:
    """Make and upgrade the tracking server's database, logins and bucket."""
    from terna.tracking.stores import ensure_stores

    ensure_stores(Settings.load().tracking)

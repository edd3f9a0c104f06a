"""Server 2's commands: the tracking server."""

from pathlib import Path

from terna.ports import check_free
from terna.security.audit import AuditLog
from terna.settings import Settings


def track() -> None:
    """Run the MLflow tracking server and registry."""
    from terna.tracking.server import serve

    settings = Settings.load()
    check_free(settings.tracking.host, settings.tracking.port)
    serve(settings.tracking, AuditLog(settings.audit.log))


def init_object_store(artifacts: str, secrets: Path) -> None:
    """Make the bucket, and in MinIO the policy to use it and nothing else."""
    from terna.tracking.bucket import ensure_policy

    ensure_policy(artifacts, secrets)


def init_stores() -> None:
    """Make and upgrade the tracking server's database and bucket."""
    from terna.tracking.stores import ensure_stores

    ensure_stores(Settings.load().tracking)

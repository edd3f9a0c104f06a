"""What the tracking server keeps its things in, made and brought up to date before it starts."""

from mlflow.db import upgrade

from terna.settings import Tracking
from terna.tracking import bucket, logins


def ensure_stores(tracking: Tracking) -> None:
    """The schema of runs and registry, the logins and the bucket, as far as there are any."""
    upgrade.main([tracking.backend_store_uri], standalone_mode=False)
    if tracking.auth_database_uri:
        logins.ensure_logins(tracking.auth_database_uri, tracking.logins_dir)
    if tracking.artifacts_destination.startswith("s3://"):
        bucket.ensure_bucket(tracking.artifacts_destination)

"""The tracking server's stores, made and upgraded before it starts."""

from mlflow.db import upgrade

from terna.settings import Tracking
from terna.tracking import bucket, logins


def ensure_stores(tracking: Tracking) -> None:
    """Make or upgrade the database of runs and registry, and users and bucket where there are any.

    Raises:
        SettingsError: a user's password is missing.
    """
    upgrade.main([tracking.backend_store_uri], standalone_mode=False)
    if tracking.auth_database_uri:
        logins.ensure_logins(tracking.auth_database_uri, tracking.logins_dir)
    if tracking.artifacts_destination.startswith("s3://"):
        bucket.ensure_bucket(tracking.artifacts_destination)

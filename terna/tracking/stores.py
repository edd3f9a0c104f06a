"""The tracking server's stores, made and upgraded before it starts."""

from mlflow.db import upgrade

from terna.settings import Tracking
from terna.tracking import bucket, bucket_credentials


def ensure_stores(tracking: Tracking) -> None:
    """Make or upgrade the database of runs and registry, and make the bucket if there is one."""
    upgrade.main([tracking.backend_store_uri], standalone_mode=False)
    if tracking.artifacts_destination.startswith("s3://"):
        bucket_credentials.use_certificate(tracking)
        bucket.ensure_bucket(tracking.artifacts_destination)

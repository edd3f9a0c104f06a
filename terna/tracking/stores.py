"""What the tracking server keeps its things in, made and brought up to date before it starts."""

from mlflow.db import upgrade

from terna.settings import Tracking
from terna.tracking import bucket, logins


def make_ready(tracking: Tracking) -> None:
    """The schema of runs and registry, the logins and the bucket, as far as there are any."""
    upgrade.main([tracking.backend_store], standalone_mode=False)
    if tracking.login_store:
        logins.make_missing(tracking.login_store, tracking.logins)
    if tracking.artifacts.startswith("s3://"):
        bucket.make_missing(tracking.artifacts)

"""The stores that are made are those that the settings name."""

import pytest
from mlflow.db import upgrade

from terna.settings import Tracking
from terna.tracking import bucket, logins, stores

DATABASE = "postgresql://tracking"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made, in its order."""
    made: list[str] = []
    monkeypatch.setattr(upgrade, "main", lambda urls, **_: made.append(f"schema {urls[0]}"))
    monkeypatch.setattr(logins, "ensure_logins", lambda url, _: made.append(f"logins {url}"))
    monkeypatch.setattr(bucket, "ensure_bucket", lambda url: made.append(f"bucket {url}"))
    return made


def test_database_alone_gets_its_schema(made: list[str]) -> None:
    stores.ensure_stores(Tracking(backend_store_uri=DATABASE, artifacts_destination="a/folder"))
    assert made == [f"schema {DATABASE}"]


def test_logins_and_bucket_are_made_where_there_are_any(made: list[str]) -> None:
    stores.ensure_stores(
        Tracking(
            backend_store_uri=DATABASE,
            auth_database_uri="postgresql://auth",
            artifacts_destination="s3://mlflow",
        )
    )
    assert made == [f"schema {DATABASE}", "logins postgresql://auth", "bucket s3://mlflow"]

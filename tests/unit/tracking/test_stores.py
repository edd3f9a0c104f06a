"""The stores that are made are those that the settings name."""

import pytest
from mlflow.db import upgrade

from terna.settings import Tracking
from terna.tracking import bucket, stores

DATABASE = "postgresql://tracking"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made, in its order."""
    made: list[str] = []
    monkeypatch.setattr(upgrade, "main", lambda urls, **_: made.append(f"schema {urls[0]}"))
    monkeypatch.setattr(bucket, "ensure_bucket", lambda url: made.append(f"bucket {url}"))
    return made


def test_database_alone_gets_its_schema(made: list[str]) -> None:
    stores.ensure_stores(Tracking(backend_store_uri=DATABASE, artifacts_destination="a/folder"))
    assert made == [f"schema {DATABASE}"]


def test_bucket_is_made_where_there_is_one(made: list[str]) -> None:
    stores.ensure_stores(Tracking(backend_store_uri=DATABASE, artifacts_destination="s3://mlflow"))
    assert made == [f"schema {DATABASE}", "bucket s3://mlflow"]

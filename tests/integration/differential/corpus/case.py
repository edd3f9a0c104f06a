"""One request, and in what its response differs from MLflow's on purpose."""

import json
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pandas as pd

JSON = "application/json"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"

SECRET = "Ada-Lovelace-0815"
"""A customer's value, which no error may repeat."""


@dataclass(frozen=True)
class OnPurpose:
    """Terna's status, and why it is not MLflow's, or why the body is another."""

    status: int
    why: str


@dataclass(frozen=True)
class Case:
    name: str
    model: str
    body: bytes
    content_type: str | None = JSON
    differs: OnPurpose | None = None

    def __str__(self) -> str:
        return f"{self.model}: {self.name}"


POSITIONAL = OnPurpose(200, "rows in the signature's order are taken; MLflow wants names")
AZURE = OnPurpose(200, "Azure's names for the rows are taken; MLflow knows its own only")
MISSING_TEXT = OnPurpose(200, 'a missing text stays missing; MLflow makes "None" or None of it')
CRASH = OnPurpose(400, "a client's mistake is no server error, as it is where MLflow breaks on it")
SHORT = OnPurpose(400, "one error code for rows in order that are short, whatever is in them")
UNTYPED = OnPurpose(415, "a request without content type is no server error")


def as_json(**document: Any) -> bytes:
    """Return a document as JSON."""
    return json.dumps(document).encode()


def parquet(table: pd.DataFrame) -> bytes:
    buffer = BytesIO()
    table.to_parquet(buffer)
    return buffer.getvalue()

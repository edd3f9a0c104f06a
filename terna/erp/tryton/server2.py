"""What the module asks server 2, by the client that any ERP can use."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from terna.erp.client import Client, authorization, tls_context
from terna.erp.schema import Schema
from terna.erp.tryton import configuration
from terna.errors import ServingRefused, ServingUnreachable


@dataclass(frozen=True)
class Answer:
    """One customer's label, as text, and its probability where the model gives one."""

    label: str
    probability: float | None
    model: str
    version: int


def ask(rows: Sequence[dict[str, Any]], probabilities: bool) -> list[Answer]:
    """Return an answer for each row, a value for each column by its name.

    Raises:
        BadRequest: the model does not take these values; the message says why.
        ServingRefused: the API key is none for this.
        ServingUnreachable: no answer.
    """
    with Client(configuration.erp()) as client:
        found = client.predict(rows)
    return [Answer(as_text(label), None, found.model, found.version) for label in found.labels]


def read_schema() -> tuple[str, Schema]:
    """Return the name of the model that server 2 serves, and its schema.

    Raises:
        DataError: the model is none of named columns.
        ServingUnreachable, ServingRefused: no answer, or none that describes a model.
    """
    document = _get("/openapi.json")
    return str(document["info"]["title"]), Schema.from_openapi(document)


def _get(path: str) -> dict[str, Any]:
    erp = configuration.erp()
    url = str(httpx.URL(erp.endpoint).copy_with(path=path))
    try:
        response = httpx.get(
            url, verify=tls_context(erp), headers=authorization(erp), timeout=erp.timeout_seconds
        )
    except httpx.HTTPError as error:
        raise ServingUnreachable(
            f"{url} does not answer ({type(error).__name__}). Is serving running?"
        ) from error
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise ServingRefused(f"{url} refuses the API key.")
    try:
        response.raise_for_status()
        document: dict[str, Any] = response.json()
    except (httpx.HTTPError, ValueError):
        raise ServingUnreachable(
            f"{url} answers {response.status_code}, and describes no model. Is one in production?"
        ) from None
    return document


def as_text(label: Any) -> str:
    """Return a label as the ERP keeps it: as it is where it is text, else as JSON has it."""
    return label if isinstance(label, str) else json.dumps(label)

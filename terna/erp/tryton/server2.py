"""What the module asks server 2, by the client that any ERP can use."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from terna.erp.client import Client
from terna.erp.schema import Schema
from terna.erp.tryton import configuration


@dataclass(frozen=True)
class Answer:
    """One customer's label, as text, and its probability where the model gives one."""

    label: str
    probability: float | None
    model: str
    version: int


def ask(
    rows: Sequence[dict[str, Any]], pseudonyms: Sequence[str], probabilities: bool
) -> list[Answer]:
    """Return an answer for each row, a value for each column by its name.

    Args:
        pseudonyms: what stands for each row's customer.
        probabilities: whether the model gives them.

    Raises:
        RequestError: the model does not take these values; the message says why.
        SettingsError: the CA, the key or the certificate cannot be read.
        ServingRefused: the API key is none for this.
        ServingUnreachable: no answer.
    """
    with Client(configuration.connection()) as client:
        found = client.predict(rows, probabilities, pseudonyms)
    return [
        Answer(as_text(each.label), each.probability, each.model, each.version) for each in found
    ]


def read_schema() -> tuple[str, Schema]:
    """Return the name of the model that server 2 serves, and its schema.

    Raises:
        DataError: the model is none of named columns.
        SettingsError: the CA, the key or the certificate cannot be read.
        ServingUnreachable, ServingRefused: no answer, or none that describes a model.
    """
    with Client(configuration.connection()) as client:
        document = client.description()
    return str(document.get("info", {}).get("title")), Schema.from_openapi(document)


def as_text(label: Any) -> str:
    """Return a label as the ERP keeps it: as it is where it is text, else as JSON has it."""
    return label if isinstance(label, str) else json.dumps(label)

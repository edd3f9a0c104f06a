"""What a client gets: labels, and probabilities where they were asked for, of one version."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Prediction:
    """What one version says of one customer."""

    label: Any
    probability: float | None
    """Of this label; None where probabilities were not asked for."""
    model: str
    version: int


@dataclass(frozen=True)
class Predictions:
    """One label a customer, and the version that gave them all. Iterates by customer."""

    labels: list[Any]
    model: str
    version: int
    probabilities: list[Mapping[Any, float]] | None = None
    """A customer's probability of each label; None where they were not asked for."""

    def __len__(self) -> int:
        """Return the number of customers."""
        return len(self.labels)

    def __iter__(self) -> Iterator[Prediction]:
        """Yield a prediction for each customer, in the order in which they were sent."""
        for number, label in enumerate(self.labels):
            probability = self.probabilities[number].get(label) if self.probabilities else None
            yield Prediction(label, probability, self.model, self.version)


@dataclass(frozen=True)
class Probabilities:
    """A customer's probability of each label, a mapping a customer, and the version's number."""

    rows: list[Mapping[Any, float]]
    version: int


def read_labels(response: httpx.Response, customers: int) -> Predictions:
    """Return the labels that a response holds.

    Raises:
        ValueError, KeyError, TypeError: it is no response with a label for each customer.
    """
    return Predictions(
        labels=_a_row_each(response.json()["predictions"], customers),
        model=response.headers["x-model-name"],
        version=int(response.headers["x-model-version"]),
    )


def read_probabilities(response: httpx.Response, customers: int) -> Probabilities:
    """Return the probabilities that a response holds.

    Raises:
        ValueError, KeyError, TypeError: it is no response with probabilities of each customer.
    """
    content = response.json()
    return Probabilities(
        rows=[
            dict(zip(content["classes"], row, strict=True))
            for row in _a_row_each(content["predictions"], customers)
        ],
        version=int(response.headers["x-model-version"]),
    )


def _a_row_each(rows: Any, customers: int) -> list[Any]:
    if not isinstance(rows, list) or len(rows) != customers:
        raise ValueError("another number of rows than of customers")
    return rows

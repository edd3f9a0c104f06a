"""The customers to begin with: a table's rows as features, with invented names and addresses."""

import csv
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any

from trytond.pool import Pool

from terna.errors import DataError

LOCALES = ("en_US", "es_ES", "de_DE")
SEED = 0
"""The same table always gets the same names."""

CHURN = {"title": "Churn", "labels": "yes: Will leave: danger\nno: Will stay: success"}
"""What the endpoint of these customers is called, and its labels."""

READERS: Mapping[str, Callable[[str], float]] = {
    "boolean": lambda text: text.lower() == "true",
    "integer": lambda text: int(float(text)),
    "float": float,
}
"""How a cell is read, by its feature's type; all else is one of a list of texts."""


def ensure_parties(table: Path) -> None:
    """Make a party for each row of a table, where there are none.

    Raises:
        DataError: the table cannot be read.
    """
    Party = Pool().get("party.party")  # noqa: N806 - Tryton's way to name a model
    if not Party.search([], limit=1):
        Party.create(list(islice(_invented(), len(_read(table)))))


def ensure_features(endpoint: Any, table: Path) -> None:
    """Give the parties, in their order, the features of a table's rows, where nobody has any.

    Raises:
        DataError: the table cannot be read, or has not a row for each party.
    """
    Party, Features = map(Pool().get, ("party.party", "terna.customer.features"))  # noqa: N806
    if Features.search([("endpoint", "=", endpoint.id)], limit=1):
        return
    parties, rows = Party.search([], order=[("id", "ASC")]), _read(table)
    if len(parties) != len(rows):
        raise DataError(f"{table} has {len(rows)} rows, and the ERP {len(parties)} customers.")
    types = {feature.name: feature.type_ for feature in endpoint.features}
    Features.create(
        [
            {"party": party.id, "endpoint": endpoint.id, "values": _values(row, types)}
            for party, row in zip(parties, rows, strict=True)
        ]
    )
    if "churn" in endpoint.name or endpoint.name == "rfc_tune":
        endpoint.write([endpoint], CHURN)


def choices(table: Path) -> dict[str, list[str]]:
    """Return the texts of each column that holds no numbers.

    Raises:
        DataError: the table cannot be read.
    """
    columns: dict[str, set[str]] = {}
    for row in _read(table):
        for name, text in row.items():
            columns.setdefault(name, set()).add(text)
    return {name: sorted(texts - {""}) for name, texts in columns.items() if not _numbers(texts)}


def _numbers(texts: set[str]) -> bool:
    try:
        return all(map(isfinite, map(float, texts - {""})))
    except ValueError:
        return False


def _read(table: Path) -> list[dict[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8") as lines:
            return list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table} cannot be read as CSV ({type(error).__name__}).") from None


def _values(row: Mapping[str, str], types: Mapping[str, str]) -> dict[str, Any]:
    known = {name: type_ for name, type_ in types.items() if row.get(name)}
    return {name: _read_cell(row[name], type_) for name, type_ in known.items()}


def _read_cell(text: str, type_: str) -> float | str:
    return READERS[type_](text) if type_ in READERS else text


def _invented() -> Iterator[dict[str, Any]]:
    """Yield parties who live nowhere."""
    from faker import Faker  # here, as it takes a second

    fakes = [Faker(locale) for locale in LOCALES]
    for fake in fakes:
        fake.seed_instance(SEED)
    while True:
        yield from map(_party, fakes)


def _party(fake: Any) -> dict[str, Any]:
    address = {
        "street": fake.street_address(),
        "postal_code": fake.postcode(),
        "city": fake.city(),
    }
    mechanisms = [
        {"type": "email", "value": fake.safe_email()},
        {"type": "phone", "value": fake.phone_number()},
    ]
    return {
        "name": f"{fake.first_name()} {fake.last_name()}",
        "addresses": [("create", [address])],
        "contact_mechanisms": [("create", mechanisms)],
        "identifiers": [("create", [{"code": fake.ssn()}])],
    }

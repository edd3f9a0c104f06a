"""The customers to begin with: as many as a table has rows, with invented names and addresses."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from terna.errors import DataError

LOCALES = ("en_US", "es_ES", "de_DE")
SEED = 0
"""The same table always gets the same names."""


def ensure(pool: Any, table: Path) -> None:
    """Make a party for each row of a table, where the ERP has none.

    Raises:
        DataError: the table cannot be read.
    """
    Party = pool.get("party.party")  # noqa: N806 - Tryton's way to name a model
    if not Party.search([], limit=1):
        Party.create(list(_invented(len(read(table)))))


def read(table: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file by the names of its columns.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with table.open(newline="", encoding="utf-8") as lines:
            return list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table} cannot be read as CSV ({type(error).__name__}).") from None


def _invented(count: int) -> Iterator[dict[str, Any]]:
    """Yield the values of parties, who live nowhere."""
    from faker import Faker  # here, as it takes a second

    fakes = [Faker(locale) for locale in LOCALES]
    for fake in fakes:
        fake.seed_instance(SEED)
    for number in range(count):
        fake = fakes[number % len(fakes)]
        yield {
            "name": f"{fake.first_name()} {fake.last_name()}",
            "addresses": [("create", [_address(fake)])],
        }


def _address(fake: Any) -> dict[str, str]:
    return {
        "street": fake.street_address(),
        "postal_code": fake.postcode(),
        "city": fake.city(),
    }

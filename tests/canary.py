"""Customers whose every value is unmistakable, and the search for these values in any file."""

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Self

import numpy as np
import pandas as pd

PARQUET = b"PAR1"
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Canary:
    """A customer, by the columns of the table."""

    values: dict[str, Any]

    @classmethod
    def hatch(cls) -> Self:
        """Make one whose values are in no file yet, this one included."""
        random = np.random.default_rng()
        return cls(
            {
                "customer_id": int(random.integers(10**14, 10**15)),
                "surname": f"Canary-{token_hex(6)}",
                "email": f"{token_hex(6)}@canary.example",
                "plan": f"plan {token_hex(6)}",
                "note": f"has a note {token_hex(6)}",
                "minutes": float(random.integers(10**8, 10**9)) + 0.6875,
                "calls": int(random.integers(10**11, 10**12)),
            }
        )

    @property
    def needles(self) -> dict[str, set[bytes]]:
        """How each value may stand in a file, by its column."""
        return {column: set(_forms(value)) for column, value in self.values.items()}

    def found_in(self, content: bytes) -> list[str]:
        """List the columns whose value is in a file, compressed or not."""
        parts = list(unpacked(content))
        return [
            column
            for column, forms in self.needles.items()
            if any(form in part for form in forms for part in parts)
        ]


def table_with(trained: Canary, held_out: Canary, rows: int = 400) -> pd.DataFrame:
    """Make a table of customers, of whom one canary is in the first half and one in the second."""
    random = np.random.default_rng(0)
    calls, minutes = random.integers(0, 9, rows), random.normal(180, 50, rows).round(2)
    plan = random.choice(["none", "voice", "roaming"], rows)
    table = pd.DataFrame(
        {
            "customer_id": 10_000 + np.arange(rows),
            "surname": [f"Name {number % 12}" for number in range(rows)],
            "email": [f"{number}@example.org" for number in range(rows)],
            "plan": plan,
            "note": random.choice(["called", "wrote"], rows),
            "minutes": minutes,
            "calls": calls,
            "left": np.where(calls - 4 + (minutes - 180) / 40 + (plan == "voice") > 0, "yes", "no"),
        }
    )
    for row, canary in ((rows // 4, trained), (rows - rows // 4, held_out)):
        table.loc[row, list(canary.values)] = pd.Series(canary.values, dtype=object)
    return table.astype({"customer_id": "int64", "calls": "int64", "minutes": "float64"})


def unpacked(content: bytes) -> Iterator[bytes]:
    """Yield a file, and all that archives, compressed files and tables in it hold."""
    yield content
    if content.startswith(GZIP):
        yield from unpacked(gzip.decompress(content))
    elif zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                with suppress(zipfile.BadZipFile):  # another test has damaged it
                    yield from unpacked(archive.read(name))
    elif content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                yield from unpacked(file.read()) if file else ()
    elif content.startswith(PARQUET) and content.endswith(PARQUET):
        yield pd.read_parquet(io.BytesIO(content)).to_csv().encode()


def _forms(value: Any) -> Iterator[bytes]:
    yield str(value).encode()
    if isinstance(value, (int, float)):
        yield struct.pack("<d", value)
        yield f"{value:,}".encode()
    if isinstance(value, int):
        yield struct.pack("<q", value)
        yield str(float(value)).encode()

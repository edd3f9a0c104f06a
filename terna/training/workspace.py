"""The files that the phases of one training write for each other, in one folder.

Nobody but their owner may read them, and those that hold customers are encrypted.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from terna.errors import PhaseMissing
from terna.files import write_private
from terna.training import encrypted_table


class Workspace:
    """The folder of one model's training. Each file is written by one phase, and atomically.

    Reading a file whose phase has not run raises `PhaseMissing`, which names that phase. Tables
    raise `SettingsError` where their key is missing or another one.
    """

    def __init__(self, folder: Path, table_key: Path) -> None:
        """Remember the folder, and the file of the key that tables are encrypted with."""
        self.folder = folder
        self._table_key = table_key

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write a table as encrypted Parquet, without its index."""
        self.write_bytes(name, encrypted_table.encrypt(table, self._table_key))

    def read_table(self, name: str, phase: str) -> pd.DataFrame:
        """Read a table that `phase` has written."""
        return encrypted_table.decrypt(self.existing(name, phase), self._table_key)

    def write_document(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a document as JSON; TypeError when it holds anything else."""
        self.write_bytes(name, json.dumps(document, indent=1).encode())

    def read_document(self, name: str, phase: str) -> dict[str, Any]:
        """Read a JSON document that `phase` has written."""
        return dict(json.loads(self.existing(name, phase).read_bytes()))

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file of any kind."""
        write_private(self.folder / name, content)

    def remove(self, *names: str) -> None:
        """Remove files that a new table or model makes obsolete; they need not exist."""
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def existing(self, name: str, phase: str) -> Path:
        """Return the path of a file that `phase` has written."""
        path = self.folder / name
        if not path.exists():
            raise PhaseMissing(f"{path} is missing: run `terna {phase}` first.")
        return path

"""What the phases of one training hand on: a few files in one folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from terna.errors import PhaseMissing


class Workspace:
    """The folder of one model's training. Each file has one phase that writes it.

    Reading a file whose phase has not run raises `PhaseMissing`, which names that phase.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        with _Replacing(self._prepared(name)) as part:
            table.to_parquet(part, index=False)

    def read_table(self, name: str, phase: str) -> pd.DataFrame:
        return pd.read_parquet(self.existing(name, phase))

    def write_document(self, name: str, document: Mapping[str, Any]) -> None:
        self.write_bytes(name, json.dumps(document, indent=1).encode())

    def read_document(self, name: str, phase: str) -> dict[str, Any]:
        return dict(json.loads(self.existing(name, phase).read_bytes()))

    def write_bytes(self, name: str, content: bytes) -> None:
        with _Replacing(self._prepared(name)) as part:
            part.write_bytes(content)

    def forget(self, *names: str) -> None:
        """Remove files that no longer belong to what is here; they need not exist."""
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def existing(self, name: str, phase: str) -> Path:
        """The path of a file that `phase` has written."""
        path = self.folder / name
        if not path.exists():
            raise PhaseMissing(f"{path} is missing: run `terna {phase}` first.")
        return path

    def _prepared(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class _Replacing:
    """Write beside a file and replace it at the end, so that nobody reads half a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")

    def __enter__(self) -> Path:
        return self._part

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)

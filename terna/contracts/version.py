"""A version of a registered model, and the file in it that holds its signature."""

from dataclasses import dataclass

SIGNATURE_FILE = "model.sig"
"""The file of a version's model directory that holds the signature of all its other files."""


@dataclass(frozen=True)
class Version:
    """One version of a registered model, and where its files are."""

    name: str
    number: int
    source: str
    run_id: str = ""

    def __str__(self) -> str:
        return f"{self.name} version {self.number}"

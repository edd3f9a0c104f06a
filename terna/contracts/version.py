"""A version of a registered model, and the files in it that hold its signatures."""

from dataclasses import dataclass

SIGNATURE_FILE = "model.sig"
"""The file of a version's model directory that holds the signature of all its other files."""

RELEASE_FILE = "release.sig"
"""The file with a second signature of the same files, by the release key."""


@dataclass(frozen=True)
class Version:
    """One version of a registered model, and where its files are."""

    name: str
    number: int
    source: str
    run_id: str = ""

    def __str__(self) -> str:
        return f"{self.name} version {self.number}"

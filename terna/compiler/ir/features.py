"""What a pipeline makes of each column: the features that its last step is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

UNKNOWN_CATEGORY = "\N{REPLACEMENT CHARACTER} never seen"
"""A text that no encoder has met in training."""


@dataclass(frozen=True)
class Numeric:
    """A column's numbers after some steps."""

    column: int
    steps: tuple[tuple[str, float], ...] = ()
    """Each is a `plan.Step.operation` and its operand."""
    required: bool = False
    """Whether the model fails on a missing value: in a sparse matrix it does."""

    @property
    def imputed(self) -> bool:
        """Whether a missing value is replaced."""
        return any(operation == "fill" for operation, _ in self.steps)

    def with_step(self, operation: str, operand: float) -> "Numeric":
        """Return the feature with one more step."""
        return replace(self, steps=(*self.steps, (operation, float(operand))))


@dataclass(frozen=True)
class Text:
    """A column's text as it is."""

    column: int
    imputed: str | None = None
    """What a missing text becomes, if anything."""


@dataclass(frozen=True)
class Encoded:
    """A column's cells, each replaced by its code."""

    column: int
    known: Mapping[Any, float]
    unknown: float | None
    """None where the encoder fails on it; so with the next two."""
    missing: float | None
    all_missing: float | None
    """See `plan.Lookup.all_missing`."""

    def map(self, change: Callable[[float], float]) -> "Encoded":
        """Return the feature with every code changed."""
        others = (self.unknown, self.missing, self.all_missing)
        unknown, missing, all_missing = (None if code is None else change(code) for code in others)
        known = {cell: change(code) for cell, code in self.known.items()}
        return Encoded(self.column, known, unknown, missing, all_missing)


Feature = Numeric | Text | Encoded

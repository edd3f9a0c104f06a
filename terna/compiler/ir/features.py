"""What a pipeline makes of each column: the features that its last step is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

UNKNOWN = "\N{REPLACEMENT CHARACTER} never seen"


@dataclass(frozen=True)
class Numeric:
    """A column's numbers, after these steps: each is a name of `plan.Step` and its operand."""

    column: int
    steps: tuple[tuple[str, float], ...] = ()
    required: bool = False
    """Whether a missing one fails: in a sparse matrix it does."""

    @property
    def filled(self) -> bool:
        return any(name == "fill" for name, _ in self.steps)

    def then(self, name: str, operand: float) -> "Numeric":
        return replace(self, steps=(*self.steps, (name, float(operand))))


@dataclass(frozen=True)
class Text:
    """A column's text, as it is; a missing one is `filled`, where that is not None."""

    column: int
    filled: str | None = None


@dataclass(frozen=True)
class Coded:
    """A column's cells, looked up."""

    column: int
    known: Mapping[Any, float]
    unknown: float | None
    """None where the encoder fails on it; so with the next two."""
    missing: float | None
    nulls: float | None

    def each(self, change: Callable[[float], float]) -> "Coded":
        """With every code changed."""
        others = (self.unknown, self.missing, self.nulls)
        unknown, missing, nulls = (None if code is None else change(code) for code in others)
        known = {cell: change(code) for cell, code in self.known.items()}
        return Coded(self.column, known, unknown, missing, nulls)


Feature = Numeric | Text | Coded

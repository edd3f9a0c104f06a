"""A compiled model: from plain rows to answers in microseconds."""

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir.plan import Linear, Plan
from terna.compiler.runtime.linear import Weigher
from terna.compiler.runtime.postprocessing import answering, linked, scores
from terna.compiler.runtime.preprocessing import stepping
from terna.compiler.runtime.row_parsing import NotPlain, Reader
from terna.errors import NotCompilable

if TYPE_CHECKING:
    import pandas as pd

    from terna.compiler.runtime.tree_traversal import Walker

Array = NDArray[np.float64]


class CompiledModel:
    """What a plan says, ready to run. Any thread may ask it at any time."""

    def __init__(self, plan: Plan) -> None:
        """Raises ValueError: the plan's parts do not fit each other."""
        self.plan = plan
        self._slots = 1 + sum(column.slots for column in plan.columns)
        self._read = Reader(plan.columns).read
        self._steps = [stepping(step, self._slots) for step in plan.steps]
        self._engine = _engine(plan, self._slots)
        self._answer = answering(plan, self._engine.outputs)

    @classmethod
    def decode(cls, content: bytes, made_for: str) -> Self:
        """The program that was encoded for this model and these libraries.

        Raises:
            NotCompilable: it is another's, or none at all: compile the model again.
        """
        try:
            plan = msgspec.msgpack.decode(content, type=Plan)
            if plan.made_for == made_for:
                return cls(plan)
        except (ValueError, msgspec.MsgspecError) as error:
            raise NotCompilable(f"no program: {type(error).__name__}") from error
        raise NotCompilable("the program was made for another model or other libraries")

    def encode(self) -> bytes:
        return msgspec.msgpack.encode(self.plan)

    @property
    def names(self) -> list[str]:
        """The columns of a row, in the signature's order."""
        return [column.name for column in self.plan.columns]

    @property
    def kind(self) -> str:
        """How the answers are made, in words."""
        return f"compiled: {'linear' if isinstance(self.plan.engine, Linear) else 'trees'}"

    def predict_rows(self, rows: Sequence[Sequence[Any]]) -> list[Any] | None:
        """What the original's `predict` answers, one a row, as plain Python values.

        `rows` are in the signature's order, each cell as JSON has it. None when a cell is not
        plainly of its column's type: MLflow itself should then look at the rows.
        """
        try:
            return self._answer(self.sums(rows))
        except NotPlain:
            return None

    def predict_frame(self, frame: "pd.DataFrame") -> list[Any] | None:
        """The same for a table that has passed MLflow's enforcement of the signature.

        None also for a table without rows, on which most originals fail.
        """
        rows = _plain(frame, [column.name for column in self.plan.columns])
        return self.predict_rows(rows) if rows else None

    def scores(self, sums: "array[float]") -> Array:
        """The probabilities, shape (rows, classes), or a regression's values, shape (rows, 1)."""
        return scores(sums, self.plan, self._engine.outputs)

    def decisive(self, sums: "array[float]") -> Array:
        """What labels are decided by: shape (rows, outputs), or (rows, classes)."""
        if self.plan.link.calibrators:
            return linked(sums, self.plan.link, self._engine.outputs)
        return np.frombuffer(sums).reshape(-1, self._engine.outputs)

    def sums(self, rows: Sequence[Sequence[Any]]) -> "array[float]":
        """What trees or weights add up to, each row's outputs one after another.

        Raises:
            NotPlain: see `predict_rows`.
        """
        cells = self._read(rows)
        for step in self._steps:
            cells = step(cells)
        return self._engine.sums(cells)


def _engine(plan: Plan, width: int) -> "Weigher | Walker":
    if isinstance(plan.engine, Linear):
        return Weigher(plan.engine, width)
    from terna.compiler.runtime.tree_traversal import (
        Walker,
    )  # brings LLVM, which linear models do not need

    return Walker(plan.engine, width)


def _plain(frame: "pd.DataFrame", names: Sequence[str]) -> list[tuple[Any, ...]] | None:
    """The rows; None where a column has None among other cells, which some encoders tell apart."""
    columns = [frame[name].tolist() for name in names]
    for cells in columns:
        nulls = sum(cell is None for cell in cells)
        if 0 < nulls < len(cells):
            return None
    return list(zip(*columns, strict=True))

"""A compiled model: from strictly typed rows to predictions in microseconds."""

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir.plan import Linear, Plan
from terna.compiler.runtime.linear import LinearModel
from terna.compiler.runtime.postprocessing import output_function, postprocess, scores
from terna.compiler.runtime.preprocessing import step_function
from terna.compiler.runtime.row_parsing import NeedsPyfunc, RowParser
from terna.compiler.runtime.validation import validate
from terna.errors import NotCompilable

if TYPE_CHECKING:
    from terna.compiler.runtime.tree_traversal import TreeTraversal

Array = NDArray[np.float64]


class CompiledModel:
    """A plan, ready to run. Any thread may use it at any time."""

    def __init__(self, plan: Plan) -> None:
        """Check the plan; raise ValueError where its parts do not fit each other."""
        validate(plan)
        self.plan = plan
        self._slots = 1 + sum(column.slots for column in plan.columns)
        self._parse = RowParser(plan.columns).parse
        self._steps = [step_function(step, self._slots) for step in plan.steps]
        self._engine = _engine(plan, self._slots)
        self._output = output_function(plan, self._engine.sums_per_row)

    @classmethod
    def decode(cls, content: bytes, cache_key: str) -> Self:
        """Read what `encode` wrote for this model and these libraries.

        Raises:
            NotCompilable: it is another model's, or cannot be read: compile the model again.
        """
        try:
            plan = msgspec.msgpack.decode(content, type=Plan)
            if plan.cache_key == cache_key:
                return cls(plan)
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise NotCompilable(f"no compiled model: {type(error).__name__}") from error
        raise NotCompilable("it was compiled from another model or with other libraries")

    def encode(self) -> bytes:
        """Return the plan in MessagePack."""
        return msgspec.msgpack.encode(self.plan)

    @property
    def names(self) -> list[str]:
        """The columns of a row, in the schema's order."""
        return [column.name for column in self.plan.columns]

    @property
    def backend(self) -> str:
        """What computes the predictions: "compiled: trees" or "compiled: linear"."""
        return f"compiled: {'linear' if isinstance(self.plan.engine, Linear) else 'trees'}"

    def predict_rows(self, rows: Sequence[Sequence[Any]]) -> list[Any] | None:
        """Return what the pyfunc model's `predict` does, one plain Python value a row.

        None when a cell is not strictly of its column's type: the pyfunc model decides then.

        Args:
            rows: in the schema's order, each cell as JSON has it.
        """
        try:
            return self._output(self.sums(rows))
        except NeedsPyfunc:
            return None

    def scores(self, sums: "array[float]") -> Array:
        """Return probabilities, shape (rows, classes), or a regression's values, (rows, 1)."""
        return scores(sums, self.plan, self._engine.sums_per_row)

    def decision_values(self, sums: "array[float]") -> Array:
        """Return what labels are decided by: shape (rows, sums), or (rows, classes)."""
        if self.plan.postprocessor.calibrators:
            return postprocess(sums, self.plan.postprocessor, self._engine.sums_per_row)
        return np.frombuffer(sums).reshape(-1, self._engine.sums_per_row)

    def sums(self, rows: Sequence[Sequence[Any]]) -> "array[float]":
        """Return what trees or coefficients add up to, each row's sums one after another.

        Raises:
            NeedsPyfunc: a cell is not strictly of its column's type.
        """
        cells = self._parse(rows)
        for step in self._steps:
            cells = step(cells)
        return self._engine.sums(cells)


def _engine(plan: Plan, slots: int) -> "LinearModel | TreeTraversal":
    if isinstance(plan.engine, Linear):
        return LinearModel(plan.engine, slots)
    from terna.compiler.runtime.tree_traversal import TreeTraversal  # loads LLVM: only for trees

    return TreeTraversal(plan.engine, slots)

"""A compiled model: from strictly typed rows to predictions in microseconds."""

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from terna.compiler.ir.plan import Linear, Plan, Threshold, Trees, only_sum
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
        self._output_engine = self._engine
        if (
            isinstance(plan.engine, Trees)
            and 1 < plan.engine.leaf_width == self._engine.sums_per_row
        ):
            self._count_needed_votes(plan.engine)

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
    def classes(self) -> list[Any] | None:
        """A classifier's classes as JSON has them, in the order of probabilities; else None."""
        return self.plan.classes

    @property
    def has_equal_probabilities(self) -> bool:
        """Whether the verification found all probabilities equal to the pyfunc model's."""
        return self.plan.has_equal_probabilities

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
            return self._output(self._output_engine.sums(self._cells(rows)))
        except NeedsPyfunc:
            return None

    def predict_proba_rows(self, rows: Sequence[Sequence[Any]]) -> list[list[float]] | None:
        """Return what the estimator's `predict_proba` does, a list with a number a class for a row.

        None when the pyfunc model must answer: for a row as in `predict_rows`, and for all where
        `has_equal_probabilities` is false.
        """
        if not self.has_equal_probabilities:
            return None
        try:
            return self.scores(self.sums(rows)).tolist()  # type: ignore[no-any-return]
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
        return self._engine.sums(self._cells(rows))

    def _cells(self, rows: Sequence[Sequence[Any]]) -> "array[float]":
        cells = self._parse(rows)
        for step in self._steps:
            cells = step(cells)
        return cells

    def _count_needed_votes(self, trees: Trees) -> None:
        """Count a forest's votes for one class only where the label depends on no other."""
        output = self.plan.output
        if not isinstance(output, Threshold) or self.plan.postprocessor.calibrators:
            return
        narrow = only_sum(trees, output.sum_index)
        plan = structs.replace(
            self.plan, engine=narrow, output=structs.replace(output, sum_index=0)
        )
        self._output_engine = _engine(plan, self._slots)
        self._output = output_function(plan, 1)


def _engine(plan: Plan, slots: int) -> "LinearModel | TreeTraversal":
    if isinstance(plan.engine, Linear):
        return LinearModel(plan.engine, slots)
    from terna.compiler.runtime.tree_traversal import TreeTraversal  # runs LLVM: only for trees

    return TreeTraversal(plan.engine, slots)

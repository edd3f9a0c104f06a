"""Whether a program answers as its original does: accepted on evidence, or not at all.

Client have to be equal and probabilities within `TOLERANCE`: both add the same doubles in the same
order, so what is left is the last bit of an exponential. A split that is off by one bit moves a
row into another leaf, which changes a probability by far more.

A linear model may add up in another order for one row than for a thousand, in the original too:
where its sum is within `UNDECIDED` of the decision threshold, its label is not compared.
"""

import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mlflow.models.utils import _enforce_schema
from mlflow.pyfunc import PyFuncModel
from mlflow.utils.proto_json_utils import dataframe_from_parsed_json
from numpy.typing import NDArray

from terna.compiler.compile import compile_model
from terna.compiler.ir.plan import (
    Linear,
    Probabilities,
    Threshold,
    Trees,
    Value,
)
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.runtime.row_parsing import NotPlain
from terna.compiler.verification.boundary_rows import Boundaries
from terna.compiler.verification.varied_rows import changed_groups
from terna.errors import NotCompilable
from terna.predictor.inputs import keep_texts, texts

Array = NDArray[Any]
Row = Sequence[Any]
Rows = Sequence[Row]

TOLERANCE = 1e-9
TOLERANCE_FLOAT32 = 1e-6
"""For what computes in float32 itself, such as XGBoost."""
UNDECIDED = 1e-12
BATCH = 4096
NEAREST = 256


@dataclass(frozen=True)
class Compared:
    """What was asked of both."""

    rows: int
    trees: int
    """Of how many trees every split was tried from both sides."""
    of: int
    seconds: float
    """Of CPU."""


def accepted(model: PyFuncModel, rows: Rows, made_for: str = "") -> tuple[CompiledModel, Compared]:
    """The model's program, compared with it; arguments as for `compile_model` and `check`.

    Raises:
        NotCompilable: with the reason, in one line, whatever went wrong.
    """
    try:
        program = compile_model(model, made_for)
        return program, check(program, model, rows)
    except NotCompilable:
        raise
    except Exception as error:  # a model of a kind that nobody thought of
        raise NotCompilable(f"compiling failed: unexpected {type(error).__name__}") from error


def check(
    program: CompiledModel, model: PyFuncModel, rows: Rows, seconds: float = 5.0, seed: int = 0
) -> Compared:
    """Compare on the reference rows, on changed ones and on both sides of every split.

    Args:
        rows: as a client sends them, in the signature's order; some dozens.
        seconds: of this thread's CPU, after which no further tree is begun.

    Raises:
        NotCompilable: any answer differs, or the original fails where the program answers.
    """
    start = time.thread_time()
    comparing = _Comparing(program, model)
    if not rows or not comparing.compare(rows):
        raise NotCompilable("the reference rows cannot be read as plain rows")
    for changed in changed_groups(program, rows, np.random.default_rng(seed)):
        comparing.compare(changed)
    trees = of = 0
    if isinstance(program.plan.engine, Trees):
        boundaries = Boundaries(program.plan)
        of = len(boundaries.roots)
        for batch, done in boundaries.rows(rows, BATCH):
            if batch:
                comparing.compare(batch, labels=NEAREST)
            trees = done
            if time.thread_time() - start > seconds:
                break
    return Compared(comparing.rows, trees, of, time.thread_time() - start)


class _Comparing:
    """Asks both, and counts the rows."""

    def __init__(self, program: CompiledModel, model: PyFuncModel) -> None:
        self._program = program
        self._original = _Original(model)
        engine = program.plan.engine
        narrow = isinstance(engine, Trees) and engine.narrow
        self._tolerance = TOLERANCE_FLOAT32 if narrow else TOLERANCE
        self.rows = 0

    def compare(self, rows: Rows, labels: int | None = None) -> bool:
        """False where the program leaves these rows to the original.

        Args:
            labels: of how many rows, nearest to the decision, the labels are compared too; of all
                when None. Asking for them costs the original as much as the scores.

        Raises:
            NotCompilable: an answer differs, or only the program has one.
        """
        try:
            sums = self._program.sums(rows)
        except NotPlain:
            return False
        try:
            self._compare_scores(self._program.scores(sums), self._original.scores(rows))
            self.rows += len(rows)
            if labels is not None:
                rows = self._nearest(rows, sums, labels)
            self._compare_answers(rows, self._original.answers(rows))
        except NotCompilable:
            raise
        except Exception as error:  # whatever the model's library raises
            reason = f"the original fails ({type(error).__name__}) where the program answers"
            raise NotCompilable(reason) from error
        return True

    def _nearest(self, rows: Rows, sums: "array[float]", count: int) -> Rows:
        """The rows whose labels hang on the least."""
        nearest = np.argsort(self._margins(sums), kind="stable")[:count]
        return [rows[i] for i in nearest]

    def _margins(self, sums: "array[float]") -> Array:
        """How far each row is from another label."""
        totals, answer = self._program.decisive(sums), self._program.plan.answer
        if isinstance(answer, Threshold):
            return np.abs(totals[:, answer.output] - answer.bound)
        if totals.shape[1] == 1:
            return np.zeros(len(totals))
        ranked = np.sort(totals, axis=1)
        return np.asarray(ranked[:, -1] - ranked[:, -2])

    def _compare_scores(self, scores: Array, wanted: Array) -> None:
        if scores.shape != wanted.shape:
            raise NotCompilable(f"scores have the shape {scores.shape}, not {wanted.shape}")
        off = np.abs(scores - wanted) / np.maximum(1, np.abs(wanted))
        if not (off <= self._tolerance).all():
            count = int((~(off <= self._tolerance)).any(axis=1).sum())
            raise NotCompilable(f"the scores of {count} of {len(off)} rows differ")

    def _compare_answers(self, rows: Rows, expected: Sequence[Any]) -> None:
        answers = self._program.predict_rows(rows) or []
        if isinstance(self._program.plan.answer, Value | Probabilities):
            expected, answers = list(map(type, expected)), list(map(type, answers))
        pairs = zip(rows, answers, expected, strict=True)
        different = [row for row, answer, wanted in pairs if not _same(answer, wanted)]
        if different and not self._undecided(different):
            raise NotCompilable(f"the answers to {len(different)} of {len(rows)} rows differ")

    def _undecided(self, rows: Rows) -> bool:
        """Whether all of these are rows on which a linear original is of two minds itself."""
        answer = self._program.plan.answer
        if not (isinstance(self._program.plan.engine, Linear) and isinstance(answer, Threshold)):
            return False
        margins = self._margins(self._program.sums(rows))
        return bool((margins <= UNDECIDED * max(1, abs(answer.bound))).all())


class _Original:
    """The model, asked as `PyfuncModel` asks it."""

    def __init__(self, model: PyFuncModel) -> None:
        self._model = model
        self._raw = model.get_raw_model()
        self._schema = model.metadata.get_input_schema()

    def answers(self, rows: Rows) -> list[Any]:
        return list(np.asarray(self._model.predict(self._frame(rows))).tolist())

    def scores(self, rows: Rows) -> Array:
        """Shape (rows, classes), or (rows, 1) for a regression."""
        frame = self._frame(rows)
        if hasattr(self._raw, "predict_proba"):
            made = self._raw.predict_proba(_enforce_schema(frame, self._schema))
        else:
            made = self._model.predict(frame)
        return np.asarray(made, np.float64).reshape(len(rows), -1)

    def _frame(self, rows: Rows) -> Any:
        document = {"columns": self._schema.input_names(), "data": rows}
        frame = dataframe_from_parsed_json(document, "split", self._schema)
        keep_texts(frame, texts(self._schema))
        return frame


def _same(answer: Any, expected: Any) -> bool:
    return type(answer) is type(expected) and bool(answer == expected)

"""Verifies that a compiled model predicts what its pyfunc model does; it never serves otherwise.

Labels have to be equal and probabilities within `TOLERANCE`: both add the same doubles in the same
order, so what is left is the last bit of an exponential. A split that is off by one bit moves a
row into another leaf, which changes a probability by far more.

A linear model may add up in another order for one row than for a thousand, the pyfunc model too:
where its sum is within `UNDECIDED` of the decision threshold, its label is not compared.
"""

import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from mlflow.pyfunc import PyFuncModel
from numpy.typing import NDArray

from terna.compiler.compile import compile_model
from terna.compiler.ir.plan import Linear, Probabilities, Threshold, Trees, Value
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.runtime.row_parsing import NeedsPyfunc
from terna.compiler.verification.boundary_rows import BoundaryRows
from terna.compiler.verification.varied_rows import varied_rows
from terna.contracts.scoring import Rows
from terna.errors import NotCompilable

Array = NDArray[Any]

TOLERANCE = 1e-9
TOLERANCE_FLOAT32 = 1e-6
"""For libraries that compute in float32, such as XGBoost."""
UNDECIDED = 1e-12
BATCH = 4096
NEAREST = 256
"""Of a batch of boundary rows, how many labels are compared: a label costs as much as a score."""


class Pyfunc(Protocol):
    """The model that a compiled model has to equal, given rows in the schema's order."""

    def predict_rows(self, rows: Rows) -> list[Any]:
        """Return what the model's `predict` does, one plain Python value a row."""

    def scores(self, rows: Rows) -> Array:
        """Return probabilities, shape (rows, classes), or a regression's values, (rows, 1)."""


@dataclass(frozen=True)
class VerificationReport:
    """What was compared."""

    rows: int
    trees_verified: int
    """Of how many trees every split was compared from both sides."""
    trees: int
    seconds: float
    """Of CPU."""


def compile_verified(
    model: PyFuncModel, pyfunc: Pyfunc, rows: Rows, cache_key: str = ""
) -> tuple[CompiledModel, VerificationReport]:
    """Compile a model and verify the result; arguments as for `compile_model` and `verify`.

    Raises:
        NotCompilable: with the reason, in one line, whatever went wrong.
    """
    try:
        compiled = compile_model(model, cache_key)
        return compiled, verify(compiled, pyfunc, rows)
    except NotCompilable:
        raise
    except Exception as error:  # a model of a kind that nobody thought of
        raise NotCompilable(f"compiling failed: unexpected {type(error).__name__}") from error


def verify(
    compiled: CompiledModel, pyfunc: Pyfunc, rows: Rows, seconds: float = 5.0, seed: int = 0
) -> VerificationReport:
    """Compare on the reference rows, on varied ones and on both sides of every split.

    Args:
        rows: as a client sends them, in the schema's order; some dozens.
        seconds: of this thread's CPU, after which no further tree is begun.

    Raises:
        NotCompilable: a prediction differs, or the pyfunc model fails where the compiled model
            predicts.
    """
    start = time.thread_time()
    verifier = _Verifier(compiled, pyfunc)
    if not rows or not verifier.compare(rows):
        raise NotCompilable("the reference rows are not strictly typed rows")
    for varied in varied_rows(compiled, rows, np.random.default_rng(seed)):
        verifier.compare(varied)
    trees_verified = trees = 0
    if isinstance(compiled.plan.engine, Trees):
        boundaries = BoundaryRows(compiled.plan)
        trees = len(boundaries.roots)
        for batch, done in boundaries.batches(rows, BATCH):
            if batch:
                verifier.compare(batch, labels=NEAREST)
            trees_verified = done
            if time.thread_time() - start > seconds:
                break
    return VerificationReport(verifier.rows, trees_verified, trees, time.thread_time() - start)


class _Verifier:
    """Compares both models on rows, and counts these."""

    def __init__(self, compiled: CompiledModel, pyfunc: Pyfunc) -> None:
        self._compiled = compiled
        self._pyfunc = pyfunc
        engine = compiled.plan.engine
        in_float32 = isinstance(engine, Trees) and engine.sums_in_float32
        self._tolerance = TOLERANCE_FLOAT32 if in_float32 else TOLERANCE
        self.rows = 0

    def compare(self, rows: Rows, labels: int | None = None) -> bool:
        """Compare scores and labels; return False where the compiled model leaves the rows.

        Args:
            labels: compare only as many labels, those nearest to the decision; all when None.

        Raises:
            NotCompilable: a prediction differs, or only the compiled model has one.
        """
        try:
            sums = self._compiled.sums(rows)
        except NeedsPyfunc:
            return False
        try:
            self._compare_scores(self._compiled.scores(sums), self._pyfunc.scores(rows))
            self.rows += len(rows)
            if labels is not None:
                rows = self._nearest(rows, sums, labels)
            self._compare_predictions(rows, self._pyfunc.predict_rows(rows))
        except NotCompilable:
            raise
        except Exception as error:  # whatever the model's library raises
            name = type(error).__name__
            reason = f"the pyfunc model fails ({name}) where the compiled model predicts"
            raise NotCompilable(reason) from error
        return True

    def _nearest(self, rows: Rows, sums: "array[float]", count: int) -> Rows:
        """Return the rows that are nearest to another label."""
        nearest = np.argsort(self._margins(sums), kind="stable")[:count]
        return [rows[i] for i in nearest]

    def _margins(self, sums: "array[float]") -> Array:
        """Return how far each row is from another label, shape (rows,)."""
        values, output = self._compiled.decision_values(sums), self._compiled.plan.output
        if isinstance(output, Threshold):
            return np.abs(values[:, output.sum_index] - output.bound)
        if values.shape[1] == 1:
            return np.zeros(len(values))
        ranked = np.sort(values, axis=1)
        return np.asarray(ranked[:, -1] - ranked[:, -2])

    def _compare_scores(self, scores: Array, expected: Array) -> None:
        if scores.shape != expected.shape:
            raise NotCompilable(f"scores have the shape {scores.shape}, not {expected.shape}")
        off = np.abs(scores - expected) / np.maximum(1, np.abs(expected))
        if not (off <= self._tolerance).all():
            count = int((~(off <= self._tolerance)).any(axis=1).sum())
            raise NotCompilable(f"the scores of {count} of {len(off)} rows differ")

    def _compare_predictions(self, rows: Rows, expected: Sequence[Any]) -> None:
        predictions = self._compiled.predict_rows(rows) or []
        if isinstance(self._compiled.plan.output, Value | Probabilities):
            expected, predictions = list(map(type, expected)), list(map(type, predictions))
        triples = zip(rows, predictions, expected, strict=True)
        different = [row for row, prediction, other in triples if not _same(prediction, other)]
        if different and not self._undecided(different):
            raise NotCompilable(f"the predictions for {len(different)} of {len(rows)} rows differ")

    def _undecided(self, rows: Rows) -> bool:
        """Return whether a linear pyfunc model may label each of these rows either way."""
        output = self._compiled.plan.output
        if not (isinstance(self._compiled.plan.engine, Linear) and isinstance(output, Threshold)):
            return False
        margins = self._margins(self._compiled.sums(rows))
        return bool((margins <= UNDECIDED * max(1, abs(output.bound))).all())


def _same(prediction: Any, expected: Any) -> bool:
    return type(prediction) is type(expected) and bool(prediction == expected)

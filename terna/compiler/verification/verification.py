"""Verifies that a compiled model predicts what its pyfunc model does; it never serves otherwise.

Answers are compared as they are sent: labels and numbers as JSON has them. Of a classifier, the
scores are compared on all rows and the labels on those nearest to another label. A score further
off than `TOLERANCE` refuses the model, as a split that is off by one bit moves a row into another
leaf; one that is off at all leaves probabilities to pyfunc.
"""

import json
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Protocol

import numpy as np
from mlflow.pyfunc import PyFuncModel
from msgspec import structs
from numpy.typing import NDArray

from terna.compiler.compile import compile_model
from terna.compiler.ir.plan import Argmax, Linear, Threshold, Trees
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.runtime.linear import PRODUCTS
from terna.compiler.runtime.row_parsing import NeedsPyfunc
from terna.compiler.verification.boundary_rows import BoundaryRows
from terna.compiler.verification.varied_rows import varied_rows
from terna.contracts.scoring import PREDICT_METHOD, Rows, render
from terna.errors import NotCompilable

Array = NDArray[Any]

TOLERANCE = 1e-9
TOLERANCE_FLOAT32 = 1e-6
"""For libraries that compute in float32, such as XGBoost."""
SIZES = (1, 2, 3, 5, 8)
"""BLAS adds up in another order for few rows: so many at a time are compared of a linear model."""
PART_CELLS = 2000
BATCH = 4096
"""Boundary rows that are compared at a time, where these have at most `BATCH_CELLS`."""
BATCH_CELLS = 600_000
NEAREST = 256
"""Of a batch of boundary rows, how many labels are compared: a label costs as much as a score."""


class Pyfunc(Protocol):
    """The model that a compiled model has to equal, given rows in the schema's order."""

    def answer(self, rows: Rows) -> bytes:
        """Return the body of the response, as MLflow writes it."""

    def scores(self, rows: Rows) -> Array:
        """Return probabilities, shape (rows, classes), or a regression's values, (rows, 1)."""

    def scores_and_answer(self, rows: Rows) -> tuple[Array, bytes]:
        """Return both for the same rows."""


@dataclass(frozen=True)
class VerificationReport:
    """What was compared."""

    rows: int
    trees_verified: int
    """Of how many trees every split was compared from both sides."""
    trees: int
    seconds: float
    """Of CPU."""
    equal_probabilities: bool = False
    """Whether each probability of a classifier was equal to the last bit."""


def compile_verified(
    model: PyFuncModel, pyfunc: Pyfunc, rows: Rows, cache_key: str = ""
) -> tuple[CompiledModel, VerificationReport]:
    """Compile a model and verify the result; arguments as for `compile_model` and `verify`.

    Raises:
        NotCompilable: with the reason, in one line, whatever went wrong.
    """
    try:
        compiled = _with_layout(compile_model(model, cache_key), pyfunc, rows)
        report = verify(compiled, pyfunc, rows)
        equal = report.equal_probabilities and not _declares_predict_method(model)
        return CompiledModel(structs.replace(compiled.plan, has_equal_probabilities=equal)), report
    except NotCompilable:
        raise
    except Exception as error:  # a model of a kind that nobody thought of
        raise NotCompilable(f"compiling failed: unexpected {type(error).__name__}") from error


def _declares_predict_method(model: PyFuncModel) -> bool:
    """Return whether the parameter that asks for probabilities is the model's own."""
    schema = model.metadata.get_params_schema()
    return schema is not None and any(each.name == PREDICT_METHOD for each in schema.params)


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
    if isinstance(compiled.plan.engine, Linear):
        for part in _parts(rows):
            verifier.compare(part)
    for varied in varied_rows(compiled, rows, np.random.default_rng(seed)):
        verifier.compare(varied)
    trees_verified = trees = 0
    if isinstance(compiled.plan.engine, Trees):
        boundaries = BoundaryRows(compiled.plan)
        size = min(BATCH, max(1, BATCH_CELLS // len(compiled.plan.columns)))
        trees = len(boundaries.roots)
        for batch, done in boundaries.batches(rows, size):
            if batch:
                verifier.compare(batch, labels=NEAREST)
            trees_verified = done
            if time.thread_time() - start > seconds:
                break
    return VerificationReport(
        verifier.rows,
        trees_verified,
        trees,
        time.thread_time() - start,
        verifier.equal_probabilities,
    )


def _with_layout(compiled: CompiledModel, pyfunc: Pyfunc, rows: Rows) -> CompiledModel:
    """Return a linear model with the layout that gives the pyfunc model's sums most often."""
    engine = compiled.plan.engine
    if not isinstance(engine, Linear):
        return compiled
    many = [*rows, *next(iter(varied_rows(compiled, rows, np.random.default_rng(1))))]
    tried = [(part, pyfunc.scores(part)) for part in (many, *_parts(rows)) if _fits(compiled, part)]

    def equal_scores(model: CompiledModel) -> int:
        return sum(int((model.scores(model.sums(part)) == scores).sum()) for part, scores in tried)

    engines = [structs.replace(engine, layout=layout) for layout in PRODUCTS]
    models = [CompiledModel(structs.replace(compiled.plan, engine=other)) for other in engines]
    return max(models, key=equal_scores)


def _fits(compiled: CompiledModel, rows: Rows) -> bool:
    """Return whether the compiled model predicts these rows."""
    return compiled.predict_rows(rows) is not None


def _parts(rows: Rows) -> Iterator[Rows]:
    """Yield the rows in parts of a few; fewer parts of rows that are long."""
    parts = max(1, min(8, PART_CELLS // len(rows[0])))
    for size in SIZES if parts > 1 else SIZES[:2]:
        for first in range(0, min(len(rows), parts * size), size):
            yield rows[first : first + size]


class _Verifier:
    """Compares both models on rows, and counts these."""

    def __init__(self, compiled: CompiledModel, pyfunc: Pyfunc) -> None:
        self._compiled = compiled
        self._pyfunc = pyfunc
        plan = compiled.plan
        in_float32 = isinstance(plan.engine, Trees) and plan.engine.sums_in_float32
        self._tolerance = TOLERANCE_FLOAT32 if in_float32 else TOLERANCE
        self._labels = isinstance(plan.output, Threshold | Argmax)
        if self._labels and plan.classes is None:
            raise NotCompilable("labels without probabilities cannot be verified")
        self.rows = 0
        self.equal_probabilities = plan.classes is not None

    def compare(self, rows: Rows, labels: int | None = None) -> bool:
        """Compare scores and answers; return False where the compiled model leaves the rows.

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
            self.rows += len(rows)
            if not self._labels:
                self._compare_answers(rows, self._pyfunc.answer(rows))
            elif labels is None:
                scores, answer = self._pyfunc.scores_and_answer(rows)
                self._compare_scores(self._compiled.scores(sums), scores)
                self._compare_answers(rows, answer)
            else:
                self._compare_scores(self._compiled.scores(sums), self._pyfunc.scores(rows))
                nearest = self._nearest(rows, sums, labels)
                self._compare_answers(nearest, self._pyfunc.answer(nearest))
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
        self.equal_probabilities &= np.array_equal(scores, expected)

    def _compare_answers(self, rows: Rows, expected: bytes) -> None:
        answer = render(self._compiled.predict_rows(rows))
        if answer != expected:
            pairs = zip_longest(*(json.loads(a)["predictions"] for a in (answer, expected)))
            count = sum(json.dumps(a) != json.dumps(b) for a, b in pairs)
            raise NotCompilable(f"the predictions for {count} of {len(rows)} rows differ")

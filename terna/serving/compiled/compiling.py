"""From a loaded model to a program."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import numpy as np
from mlflow.pyfunc import PyFuncModel
from mlflow.types import ColSpec, DataType
from msgspec import structs
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline

from terna.contracts.errors import NotCompilable
from terna.serving.compiled import calibrating, plan  # noqa: F401  # registers itself
from terna.serving.compiled.boosters import score_lightgbm, score_xgboost
from terna.serving.compiled.encoding import Coded, Feature, Numeric, Text, encode
from terna.serving.compiled.estimators import Scored, Weights, at_threshold, score
from terna.serving.compiled.growing import Ensemble, lay_out
from terna.serving.compiled.program import Program
from terna.serving.compiled.reading import LARGEST

LIBRARIES = {"xgboost": score_xgboost, "lightgbm": score_lightgbm}
NOTHING = {
    "fill": np.nan,
    "add": 0.0,
    "subtract": 0.0,
    "multiply": 1.0,
    "divide": 1.0,
    "narrow": 0.0,
}
"""What changes nothing."""
NULLABLE = ("string", "double", "float")
"""MLflow takes a null for these kinds only."""

Slot = tuple[int, bool]
"""A feature, and whether a missing one goes left there."""


def compile_model(model: PyFuncModel, made_for: str = "") -> Program:
    """The program that answers what the model's `predict` answers.

    It is not to be trusted before `agreement.check` has compared the two.

    Args:
        made_for: what `Program.load` asks for; see `digest`.

    Raises:
        NotCompilable: with the reason, in one line.
    """
    columns = _columns(model)
    features, scored = _taken_apart(model.get_raw_model(), _features(columns))
    scored = _answered(scored, model)
    return Program(_Layout(columns, features, scored).drawn(made_for))


def _columns(model: PyFuncModel) -> list[tuple[str, str]]:
    """Each column's name and kind."""
    schema = model.metadata.get_input_schema()
    if schema is None or schema.is_tensor_spec() or not schema.has_input_names():
        raise NotCompilable("the signature does not name columns")
    return [(str(column.name), _kind(column)) for column in schema.inputs]


def _kind(column: ColSpec) -> str:
    kind = column.type.name if isinstance(column.type, DataType) else ""
    if kind not in LARGEST and kind != "string":
        raise NotCompilable(f"column '{column.name}' is neither number, text nor boolean")
    return kind


def _features(columns: Sequence[tuple[str, str]]) -> list[Feature]:
    return [
        Text(number) if kind == "string" else Numeric(number)
        for number, (_, kind) in enumerate(columns)
    ]


def _taken_apart(model: Any, features: Sequence[Feature]) -> tuple[list[Feature], Scored]:
    """What the last estimator is given, and what it computes."""
    if isinstance(model, FixedThresholdClassifier | TunedThresholdClassifierCV):
        features, scored = _taken_apart(model.estimator_, features)
        return list(features), _thresholded(model, scored)
    if isinstance(model, Pipeline):
        for _, step in model.steps[:-1]:
            features = encode(step, features)
        return _taken_apart(model.steps[-1][1], features)
    return list(features), _scored(model)


def _scored(estimator: Any) -> Scored:
    library = type(estimator).__module__.partition(".")[0]
    return LIBRARIES.get(library, score)(estimator)


def _thresholded(model: Any, scored: Scored) -> Scored:
    """As scikit-learn resolves `auto`."""
    method, threshold = model.response_method, getattr(model, "best_threshold_", None)
    if method == "auto":
        method = (
            "predict_proba" if hasattr(model.estimator_, "predict_proba") else "decision_function"
        )
    if threshold is None:
        threshold = model.threshold
    if threshold == "auto":
        threshold = 0.5 if method == "predict_proba" else 0.0
    positive = getattr(model, "pos_label", None)
    return at_threshold(
        scored, threshold, scored.classes[1] if positive is None else positive, method
    )


def _answered(scored: Scored, model: PyFuncModel) -> Scored:
    """By the method that the model was saved with."""
    name = model.metadata.flavors["python_function"].get("predict_fn", "predict")
    if name == "predict":
        return _narrowed(scored)
    if name == "predict_proba" and scored.classes:
        return replace(scored, answer=plan.Probabilities())
    raise NotCompilable(f"the model answers by {name}")


def _narrowed(scored: Scored) -> Scored:
    """Votes are counted for one class only where the label hangs on no other."""
    engine, answer = scored.engine, scored.answer
    if not isinstance(engine, Ensemble) or scored.link.name != "mean":
        return scored
    if isinstance(answer, plan.Threshold) and answer.output == 1:
        answer = structs.replace(answer, output=0)
        return replace(scored, engine=engine.output(1), answer=answer)
    return scored


class _Layout:
    """Where each feature's cells are in a row: slots, column by column, and a zero at the end."""

    def __init__(
        self, columns: Sequence[tuple[str, str]], features: Sequence[Feature], scored: Scored
    ) -> None:
        self._columns, self._features, self._scored = columns, features, scored
        self._takes_missing = scored.engine.takes_missing
        self._slots = sorted(_compared(scored.engine, len(features)), key=self._order)
        self._number = {slot: number for number, slot in enumerate(self._slots)}

    def _order(self, slot: Slot) -> tuple[bool, int, Slot]:
        """As `plan.layout` has it."""
        feature = self._features[slot[0]]
        return isinstance(feature, Coded), feature.column, slot

    def drawn(self, made_for: str) -> plan.Plan:
        return plan.Plan(
            made_for=made_for,
            columns=[self._column(i, name, kind) for i, (name, kind) in enumerate(self._columns)],
            steps=self._steps(),
            engine=self._engine(),
            link=self._scored.link,
            answer=self._scored.answer,
        )

    def _engine(self) -> plan.Trees | plan.Linear:
        engine = self._scored.engine
        if isinstance(engine, Ensemble):
            return lay_out(engine, lambda f, left: self._number[f, left], len(self._slots))
        order = [self._number[feature, False] for feature in range(len(self._features))]
        weights = np.ascontiguousarray(engine.weights, "<f8").tobytes()
        return plan.Linear(np.array(order, "<i8").tobytes(), weights, engine.intercepts)

    def _column(self, number: int, name: str, kind: str) -> plan.Column:
        slots = [slot for slot in self._slots if self._features[slot[0]].column == number]
        kinds = {type(self._features[feature]) for feature, _ in slots}
        if Text in kinds:
            raise NotCompilable(f"the text of column '{name}' reaches the model itself")
        if len(kinds) > 1:
            raise NotCompilable(f"column '{name}' is used both as a number and by category")
        coded = Coded in kinds or (kind == "string" and not kinds)
        cells = self._table(slots, kind) if coded else self._numbers(slots)
        return plan.Column(name, kind, len(slots), cells)

    def _numbers(self, slots: Sequence[Slot]) -> plan.Number:
        missing = tuple(-np.inf if left else np.nan for _, left in slots)
        return plan.Number(missing, all(self._takes_null(feature) for feature, _ in slots))

    def _takes_null(self, number: int) -> bool:
        feature = self._features[number]
        if not isinstance(feature, Numeric) or feature.filled:
            return True
        return self._takes_missing and not feature.required

    def _table(self, slots: Sequence[Slot], kind: str) -> plan.Table:
        coded = [(f, left) for i, left in slots if isinstance(f := self._features[i], Coded)]
        nullable = kind in NULLABLE
        known = {
            cell: self._codes([(f.known.get(cell, f.unknown), left) for f, left in coded])
            for cell in dict.fromkeys(cell for f, _ in coded for cell in f.known)
        }
        return plan.Table(
            known=[(cell, codes) for cell, codes in known.items() if codes is not None],
            unknown=self._codes([(f.unknown, left) for f, left in coded]),
            missing=self._codes([(f.missing if nullable else None, left) for f, left in coded]),
            nulls=self._codes([(f.nulls if nullable else None, left) for f, left in coded]),
        )

    def _codes(self, codes: Sequence[tuple[float | None, bool]]) -> tuple[float, ...] | None:
        """What goes into the slots; None where the original fails."""
        made = []
        for code, left in codes:
            if code is None or (np.isnan(code) and not self._takes_missing):
                return None
            made.append(-np.inf if np.isnan(code) and left else code)
        return tuple(made)

    def _steps(self) -> list[plan.Step]:
        chains = [self._chain(feature) for feature, _ in self._slots]
        return [
            plan.Step(name, np.array(operands, "<f8").tobytes())
            for layer in zip_longest(*chains, fillvalue=("", 0.0))
            for name, operands in _by_name(layer).items()
        ]

    def _chain(self, number: int) -> Sequence[tuple[str, float]]:
        feature = self._features[number]
        if not isinstance(feature, Numeric):
            return ()
        single = self._columns[feature.column][1] == "float"
        return (("narrow", 1.0), *feature.steps) if single else feature.steps


def _compared(engine: Ensemble | Weights, features: int) -> set[Slot]:
    if isinstance(engine, Ensemble):
        return engine.splits()
    return {(feature, False) for feature in range(features)}


def _by_name(layer: Sequence[tuple[str, float]]) -> dict[str, list[float]]:
    """One operand a slot, and one for the zero; slots without the operation get one that does
    nothing."""
    names = dict.fromkeys(name for name, _ in layer if name)
    return {
        name: [operand if n == name else NOTHING[name] for n, operand in (*layer, ("", 0.0))]
        for name in names
    }

"""From the IR that frontends make to the plan that the runtime executes."""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from terna.compiler.ir import plan
from terna.compiler.ir.features import Coded, Feature, Numeric, Text
from terna.compiler.ir.model import Scored, Weights
from terna.compiler.ir.trees import Ensemble
from terna.compiler.tree_layout import lay_out
from terna.errors import NotCompilable

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


class Layout:
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
        """Features that no tree looks at count too: the original may fail on their cells."""
        features = [f for f in self._features if f.column == number]
        slots = [slot for slot in self._slots if self._features[slot[0]].column == number]
        kinds = {type(self._features[feature]) for feature, _ in slots} or {*map(type, features)}
        if slots and Text in kinds:
            raise NotCompilable(f"the text of column '{name}' reaches the model itself")
        if len(kinds) > 1:
            raise NotCompilable(f"column '{name}' is used both as a number and by category")
        if Coded in kinds or kind == "string":
            coded = [feature for feature in features if isinstance(feature, Coded)]
            return plan.Column(name, kind, len(slots), self._table(coded, slots, kind))
        missing = tuple(-np.inf if left else np.nan for _, left in slots)
        nullable = all(map(self._takes_null, features))
        return plan.Column(name, kind, len(slots), plan.Number(missing, nullable))

    def _takes_null(self, feature: Feature) -> bool:
        if not isinstance(feature, Numeric) or feature.filled:
            return True
        return self._takes_missing and not feature.required

    def _table(self, coded: Sequence[Coded], slots: Sequence[Slot], kind: str) -> plan.Table:
        def codes(of: Callable[[Coded], float | None]) -> tuple[float, ...] | None:
            made = {id(feature): of(feature) for feature in coded}
            if any(self._fails(code) for code in made.values()):
                return None
            return tuple(_slot(made[id(self._features[i])], left) for i, left in slots)

        def known(cell: Any) -> tuple[float, ...] | None:
            return codes(lambda feature: feature.known.get(cell, feature.unknown))

        cells = dict.fromkeys(cell for feature in coded for cell in feature.known)
        nullable = kind in NULLABLE
        return plan.Table(
            known=[(cell, made) for cell in cells if (made := known(cell)) is not None],
            unknown=codes(lambda feature: feature.unknown),
            missing=codes(lambda feature: feature.missing) if nullable else None,
            nulls=codes(lambda feature: feature.nulls) if nullable else None,
        )

    def _fails(self, code: float | None) -> bool:
        return code is None or (np.isnan(code) and not self._takes_missing)

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


def _slot(code: float | None, left: bool) -> float:
    """What a missing code is in a slot, as for numbers."""
    if code is None or np.isnan(code):
        return -np.inf if left else np.nan
    return code


def _compared(engine: Ensemble | Weights, features: int) -> set[Slot]:
    if isinstance(engine, Ensemble):
        return engine.splits()
    return {(feature, False) for feature in range(features)}


def _by_name(layer: Sequence[tuple[str, float]]) -> dict[str, list[float]]:
    """One operand a slot, which does nothing where the step is not meant, and one for the zero."""
    names = dict.fromkeys(name for name, _ in layer if name)
    return {
        name: [operand if n == name else NOTHING[name] for n, operand in (*layer, ("", 0.0))]
        for name in names
    }

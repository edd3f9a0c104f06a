"""From what frontends make of a model to the plan that the runtime executes."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from terna.compiler.ir import plan
from terna.compiler.ir.features import Encoded, Feature, Numeric, Text
from terna.compiler.ir.model import ModelIR, Weights
from terna.compiler.ir.trees import Ensemble
from terna.compiler.tree_layout import lay_out_trees
from terna.errors import NotCompilable

NEUTRAL = {
    "fill": np.nan,
    "add": 0.0,
    "subtract": 0.0,
    "multiply": 1.0,
    "divide": 1.0,
    "to_float32": 0.0,
}
"""The operand with which an operation leaves a slot as it is."""
NULLABLE = ("string", "double", "float")
"""MLflow takes a null for these types only."""

SlotKey = tuple[int, bool]
"""What one slot is for: a feature, and whether a missing value goes left."""


class Lowering:
    """Assigns the slots of a row to the features of one model.

    A feature has a slot for each way that its missing values go.
    """

    def __init__(
        self, columns: Sequence[tuple[str, str]], features: Sequence[Feature], model: ModelIR
    ) -> None:
        """
        Args:
            columns: each column's name and MLflow's type.
            features: what the model is given.
        """
        self._columns, self._features, self._model = columns, features, model
        self._takes_missing = model.engine.takes_missing
        self._slots = sorted(_slot_keys(model.engine, len(features)), key=self._order)
        self._slot_of = {key: slot for slot, key in enumerate(self._slots)}
        self._features_of: dict[int, list[Feature]] = defaultdict(list)
        self._slots_of: dict[int, list[SlotKey]] = defaultdict(list)
        for feature in features:
            self._features_of[feature.column].append(feature)
        for key in self._slots:
            self._slots_of[features[key[0]].column].append(key)

    def _order(self, key: SlotKey) -> tuple[bool, int, SlotKey]:
        """Return the sort key for the order of `plan.slot_order`."""
        feature = self._features[key[0]]
        return isinstance(feature, Encoded), feature.column, key

    def to_plan(self, cache_key: str) -> plan.Plan:
        """Return the plan.

        Raises:
            NotCompilable: a column is used in ways that exclude each other.
        """
        columns = enumerate(self._columns)
        return plan.Plan(
            cache_key=cache_key,
            columns=[self._column(number, name, type_) for number, (name, type_) in columns],
            steps=self._steps(),
            engine=self._engine(),
            postprocessor=self._model.postprocessor,
            output=self._model.output,
            classes=list(self._model.classes) or None,
        )

    def _engine(self) -> plan.Trees | plan.Linear:
        engine = self._model.engine
        if isinstance(engine, Ensemble):
            slot_of = self._slot_of
            return lay_out_trees(engine, lambda f, left: slot_of[f, left], len(self._slots))
        slots = [self._slot_of[feature, False] for feature in range(len(self._features))]
        coefficients = np.asarray(engine.coefficients, "<f8")
        return plan.Linear(
            slots=np.array(slots, "<i8").tobytes(),
            coefficients=coefficients.T.tobytes(),
            intercepts=engine.intercepts,
            products=engine.products,
            coefficient_order="F" if coefficients.flags.f_contiguous else "C",
        )

    def _column(self, number: int, name: str, data_type: str) -> plan.Column:
        """Return one column's plan.

        Features that no tree splits on count too: the pyfunc model may fail on their cells.
        """
        features, keys = self._features_of[number], self._slots_of[number]
        kinds = {type(self._features[feature]) for feature, _ in keys} or {*map(type, features)}
        if keys and Text in kinds:
            raise NotCompilable(f"the text of column '{name}' reaches the model itself")
        if len(kinds) > 1:
            raise NotCompilable(f"column '{name}' is used both as a number and by category")
        if Encoded in kinds or data_type == "string":
            encoded = [feature for feature in features if isinstance(feature, Encoded)]
            lookup = self._lookup(encoded, keys, data_type)
            return plan.Column(name, data_type, len(keys), lookup)
        missing = tuple(-np.inf if left else np.nan for _, left in keys)
        nullable = all(map(self._takes_null, features))
        return plan.Column(name, data_type, len(keys), plan.Number(missing, nullable))

    def _takes_null(self, feature: Feature) -> bool:
        if not isinstance(feature, Numeric) or feature.imputed:
            return True
        return self._takes_missing and not feature.required

    def _lookup(
        self, encoded: Sequence[Encoded], keys: Sequence[SlotKey], data_type: str
    ) -> plan.Lookup:
        def codes(code_of: Callable[[Encoded], float | None]) -> tuple[float, ...] | None:
            found = {id(feature): code_of(feature) for feature in encoded}
            if any(self._fails_on(code) for code in found.values()):
                return None
            return tuple(_in_slot(found[id(self._features[i])], left) for i, left in keys)

        def known(cell: Any) -> tuple[float, ...] | None:
            return codes(lambda feature: feature.known.get(cell, feature.unknown))

        cells = dict.fromkeys(cell for feature in encoded for cell in feature.known)
        nullable = data_type in NULLABLE
        return plan.Lookup(
            known=[(cell, found) for cell in cells if (found := known(cell)) is not None],
            unknown=codes(lambda feature: feature.unknown),
            missing=codes(lambda feature: feature.missing) if nullable else None,
            all_missing=codes(lambda feature: feature.all_missing) if nullable else None,
        )

    def _fails_on(self, code: float | None) -> bool:
        return code is None or (np.isnan(code) and not self._takes_missing)

    def _steps(self) -> list[plan.Step]:
        chains = [self._chain(feature) for feature, _ in self._slots]
        return [
            plan.Step(operation, np.array(operands, "<f8").tobytes())
            for layer in zip_longest(*chains, fillvalue=("", 0.0))
            for operation, operands in _by_operation(layer).items()
        ]

    def _chain(self, number: int) -> Sequence[tuple[str, float]]:
        """Return the operations on one feature, in order."""
        feature = self._features[number]
        if not isinstance(feature, Numeric):
            return ()
        single = self._columns[feature.column][1] == "float"
        return (("to_float32", 1.0), *feature.steps) if single else feature.steps


def _in_slot(code: float | None, left: bool) -> float:
    """Return a code as its slot holds it: a missing one as `plan.Number.missing` has it."""
    if code is None or np.isnan(code):
        return -np.inf if left else np.nan
    return code


def _slot_keys(engine: Ensemble | Weights, features: int) -> set[SlotKey]:
    if isinstance(engine, Ensemble):
        return engine.splits()
    return {(feature, False) for feature in range(features)}


def _by_operation(layer: Sequence[tuple[str, float]]) -> dict[str, list[float]]:
    """Return each operation's operands: one a slot, neutral where it is not meant, and the zero's.

    Args:
        layer: each slot's operation and operand; an empty name for none.
    """
    operations = dict.fromkeys(operation for operation, _ in layer if operation)
    return {
        name: [operand if n == name else NEUTRAL[name] for n, operand in (*layer, ("", 0.0))]
        for name in operations
    }

"""Features get slots, and columns that cannot have any are refused."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from terna.compiler.ir.features import Encoded, Feature, Numeric, Text
from terna.compiler.ir.model import ModelIR, Weights
from terna.compiler.ir.plan import Lookup, Number, Plan, Postprocessor, Value
from terna.compiler.lowering import Lowering
from terna.errors import NotCompilable

PLAN = Encoded(1, {"basic": 0.0, "extra": 1.0}, unknown=None, missing=math.nan, all_missing=2.0)


def lowered(columns: Sequence[tuple[str, str]], features: Sequence[Feature]) -> Plan:
    weights = Weights(np.ones((len(features), 1)), (0.0,))
    model = ModelIR(weights, Postprocessor("identity"), Value())
    return Lowering(columns, features, model).to_plan("key")


def test_encoded_column_becomes_a_lookup() -> None:
    plan = lowered([("minutes", "double"), ("plan", "string")], [Numeric(0), PLAN])

    cells = plan.columns[1].cells
    assert isinstance(cells, Lookup)
    assert cells.known == [("basic", (0.0,)), ("extra", (1.0,))]
    assert (cells.unknown, cells.missing, cells.all_missing) == (None, None, (2.0,))


@pytest.mark.parametrize(("steps", "nullable"), [((), False), ((("fill", 1.0),), True)])
def test_number_takes_null_where_it_is_imputed(
    steps: tuple[tuple[str, float], ...], nullable: bool
) -> None:
    cells = lowered([("minutes", "double")], [Numeric(0, steps)]).columns[0].cells

    assert isinstance(cells, Number)
    assert cells.nullable == nullable


def test_step_of_one_column_is_neutral_for_the_others() -> None:
    features = [Numeric(0, (("subtract", 3.0),)), Numeric(1)]

    (step,) = lowered([("minutes", "double"), ("calls", "long")], features).steps

    assert step.operation == "subtract"
    assert np.frombuffer(step.operand).tolist() == [3.0, 0.0, 0.0]


def test_float_column_is_rounded_to_float32_first() -> None:
    steps = lowered([("minutes", "float")], [Numeric(0, (("add", 1.0),))]).steps

    assert [step.operation for step in steps] == ["to_float32", "add"]


def test_text_that_reaches_the_model_is_refused() -> None:
    with pytest.raises(NotCompilable, match="the text of column 'plan' reaches the model"):
        lowered([("plan", "string")], [Text(0)])


def test_column_used_as_number_and_by_category_is_refused() -> None:
    with pytest.raises(NotCompilable, match="both as a number and by category"):
        lowered([("minutes", "double"), ("calls", "long")], [Numeric(0), Numeric(1), PLAN])

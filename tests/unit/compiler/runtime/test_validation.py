"""A plan whose parts do not fit each other is refused, and the part is named."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from terna.compiler.compile import compile_model
from terna.compiler.ir.nodes import NODE
from terna.compiler.ir.plan import Lookup, Plan
from terna.compiler.runtime.validation import validate
from tests.unit.compiler.models import as_loaded, customers, fitted, with_threshold

replaced: Any = msgspec.structs.replace
Change = Callable[[Any], Any]


@pytest.fixture(scope="module")
def forest() -> Plan:
    """A forest after steps of preprocessing."""
    model = with_threshold(0.4, fitted(RandomForestClassifier(9, random_state=0), scaled=True))
    return compile_model(as_loaded(model, customers())).plan


@pytest.fixture(scope="module")
def linear() -> Plan:
    model = fitted(LogisticRegression(max_iter=1000), scaled=True, names=("a", "b", "c"))
    return compile_model(as_loaded(model, customers())).plan


@pytest.fixture(scope="module")
def calibrated() -> Plan:
    model = CalibratedClassifierCV(RandomForestClassifier(5), method="isotonic", cv=2)
    return compile_model(as_loaded(fitted(model), customers())).plan


def engine(**fields: Any) -> Change:
    return lambda plan: replaced(plan, engine=replaced(plan.engine, **fields))


def node(field: str, value: Any, which: int = 0) -> Change:
    """Change one number of a node: of the first one, an inner node."""

    def change(plan: Any) -> Any:
        nodes = np.frombuffer(plan.engine.nodes, NODE[plan.engine.cells_in_float32]).copy()
        nodes[field][which] = value
        return engine(nodes=nodes.tobytes())(plan)

    return change


def number(field: str, value: int) -> Change:
    def change(plan: Any) -> Any:
        numbers = np.frombuffer(getattr(plan.engine, field), "<i4").copy()
        numbers[1] = value
        return engine(**{field: numbers.tobytes()})(plan)

    return change


def operand(value: float) -> Change:
    """Change what the first step does to the zero at a row's end."""

    def change(plan: Any) -> Any:
        operands = np.frombuffer(plan.steps[0].operand).copy()
        operands[-1] = value
        steps = [replaced(plan.steps[0], operand=operands.tobytes()), *plan.steps[1:]]
        return replaced(plan, steps=steps)

    return change


def step(**fields: Any) -> Change:
    return lambda plan: replaced(plan, steps=[replaced(plan.steps[0], **fields)])


def column(looked_up: bool, **fields: Any) -> Change:
    """Change a column of numbers, or one that is looked up."""

    def change(plan: Any) -> Any:
        at = next(n for n, c in enumerate(plan.columns) if isinstance(c.cells, Lookup) == looked_up)
        columns = [*plan.columns]
        columns[at] = replaced(columns[at], **fields)
        return replaced(plan, columns=columns)

    return change


def output(**fields: Any) -> Change:
    return lambda plan: replaced(plan, output=replaced(plan.output, **fields))


def postprocessor(**fields: Any) -> Change:
    return lambda plan: replaced(plan, postprocessor=replaced(plan.postprocessor, **fields))


def calibrator(**fields: Any) -> Change:
    def change(plan: Any) -> Any:
        first, *others = plan.postprocessor.calibrators
        return postprocessor(calibrators=(replaced(first, **fields), *others))(plan)

    return change


def refused(plan: Plan, change: Change, part: str) -> bool:
    validate(plan)  # it is the change that is refused
    with pytest.raises(ValueError, match=part):
        validate(change(plan))
    return True


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (node("link", 2**32 - 1), "nodes"),
        (node("link", 0), "nodes"),
        (node("threshold", np.nan), "nodes"),
        (node("threshold", np.inf, which=-1), "leaves"),
        (engine(nodes=b""), "nodes"),
        (engine(nodes=bytes(7)), "nodes"),
        (number("roots", 10**6), "roots"),
        (number("roots", -1), "roots"),
        (number("targets", 1), "roots"),
        (engine(roots=b"", targets=b""), "roots"),
        (engine(leaf_values=b""), "leaves"),
        (engine(leaf_values=np.array([np.nan]).tobytes()), "leaves"),
        (engine(leaf_width=0), "leaves"),
        (engine(leaf_width=3), "leaves"),
        (engine(base_scores=(0.0, np.inf)), "base scores"),
        (operand(5.0), "steps"),
        (step(operand=bytes(8)), "steps"),
        (step(operation="explode"), "steps"),
        (column(True, slots=0), "categories"),
        (column(False, slots=0), "columns"),
        (column(False, data_type="string"), "columns"),
        (column(False, data_type="date"), "columns"),
        (postprocessor(name="magic"), "postprocessor"),
        (postprocessor(scale=0.0), "postprocessor"),
        (output(sum_index=2), "labels"),
        (output(sum_index=-1), "labels"),
        (output(above=b"yes"), "labels"),
    ],
)
def test_trees_that_do_not_fit_are_refused(forest: Plan, change: Change, part: str) -> None:
    assert refused(forest, change, part)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (engine(slots=np.array([-1], "<i8").tobytes()), "coefficients"),
        (engine(slots=b""), "coefficients"),
        (engine(intercepts=()), "coefficients"),
        (output(labels=["a"]), "labels"),
        (output(divisor=0.0), "labels"),
    ],
)
def test_linear_models_that_do_not_fit_are_refused(linear: Plan, change: Change, part: str) -> None:
    assert refused(linear, change, part)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (calibrator(sum_index=2), "calibrators"),
        (calibrator(sum_index=-1), "calibrators"),
        (calibrator(x=b""), "calibrators"),
        (calibrator(x=b"", y=b""), "calibrators"),
        (calibrator(x=np.array([1.0, 0.0]).tobytes(), y=bytes(16)), "calibrators"),
        (calibrator(slope=np.inf), "calibrators"),
        (postprocessor(classes=0), "postprocessor"),
        (postprocessor(calibrators=()), "postprocessor"),
    ],
)
def test_calibrators_that_do_not_fit_are_refused(
    calibrated: Plan, change: Change, part: str
) -> None:
    assert refused(calibrated, change, part)

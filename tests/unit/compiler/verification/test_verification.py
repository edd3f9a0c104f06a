"""A program that is the least bit wrong is refused."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from mlflow.pyfunc import PyFuncModel
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from terna.compiler.compile import compile_model
from terna.compiler.ir.plan import NODE, Table, layout
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.verification import verification
from terna.errors import NotCompilable
from tests.unit.compiler.models import as_loaded, at, customers, fitted, rows_of

pytestmark = pytest.mark.filterwarnings("ignore:Found unknown categories")

replaced: Any = msgspec.structs.replace
ESTIMATORS = {
    "forest": RandomForestClassifier(20, random_state=0),
    "boosting": HistGradientBoostingClassifier(max_iter=20, random_state=0, early_stopping=False),
}


@pytest.fixture(scope="module", params=ESTIMATORS)
def model(request: pytest.FixtureRequest) -> PyFuncModel:
    return as_loaded(at(0.4, fitted(ESTIMATORS[request.param])), customers())


Change = Callable[[Any], Any]


def refusal(model: PyFuncModel, change: Change) -> str:
    program = CompiledModel(change(compile_model(model).plan))
    with pytest.raises(NotCompilable) as refused:
        verification.check(program, model, rows_of(customers(60)), seconds=60)
    return str(refused.value)


def nodes_of(plan: Any) -> np.ndarray[Any, Any]:
    return np.frombuffer(plan.engine.nodes, NODE).copy()


def with_nodes(plan: Any, nodes: np.ndarray[Any, Any]) -> Any:
    return replaced(plan, engine=replaced(plan.engine, nodes=nodes.tobytes()))


def splits_on(plan: Any, column: str) -> np.ndarray[Any, Any]:
    """The nodes that split on a column."""
    columns = [plan.columns[number] for number in layout(plan.columns)]
    names = [c.name for c in columns for _ in range(c.slots)]
    slots = [number for number, name in enumerate(names) if name == column]
    return np.flatnonzero(np.isin(nodes_of(plan)["slot"], slots))


def test_the_faithful_program_is_accepted_and_every_split_was_tried(model: PyFuncModel) -> None:
    compared = verification.check(compile_model(model), model, rows_of(customers(60)), seconds=60)

    assert compared.trees == compared.of == 20
    assert compared.rows > 1000


@pytest.mark.parametrize("towards", [-np.inf, np.inf])
@pytest.mark.parametrize("which", [0, 7, -1])
def test_one_threshold_that_is_off_by_its_last_bit_is_found(
    model: PyFuncModel, which: int, towards: float
) -> None:
    def change(plan: Any) -> Any:
        nodes, node = nodes_of(plan), splits_on(plan, "minutes")[which]
        nodes["threshold"][node] = np.nextafter(nodes["threshold"][node], towards)
        return with_nodes(plan, nodes)

    assert "differ" in refusal(model, change)


def test_missing_values_that_go_the_other_way_are_found(model: PyFuncModel) -> None:
    def change(plan: Any) -> Any:
        columns = [
            replaced(c, cells=replaced(c.cells, missing=tuple(-np.inf for _ in c.cells.missing)))
            if c.name == "minutes"
            else c
            for c in plan.columns
        ]
        return replaced(plan, columns=columns)

    assert "differ" in refusal(model, change)


def test_a_dropped_decision_threshold_is_found(model: PyFuncModel) -> None:
    half = {"forest": 10.0, "boosting": 0.0}

    def change(plan: Any) -> Any:
        bound = half["forest" if plan.link.name == "mean" else "boosting"]
        return replaced(plan, answer=replaced(plan.answer, bound=bound))

    assert "answers" in refusal(model, change)


def test_swapped_labels_are_found(model: PyFuncModel) -> None:
    def change(plan: Any) -> Any:
        below, above = plan.answer.below, plan.answer.above
        return replaced(plan, answer=replaced(plan.answer, below=above, above=below))

    assert "answers" in refusal(model, change)


def test_labels_of_another_type_are_found(model: PyFuncModel) -> None:
    def change(plan: Any) -> Any:
        return replaced(plan, answer=replaced(plan.answer, above=True))

    assert "answers" in refusal(model, change)


def test_two_categories_that_are_mixed_up_are_found(model: PyFuncModel) -> None:
    def change(plan: Any) -> Any:
        return replaced(plan, columns=[mixed(c) if c.name == "plan" else c for c in plan.columns])

    def mixed(column: Any) -> Any:
        (a, of_a), (b, of_b), *others = column.cells.known
        return replaced(column, cells=replaced(column.cells, known=[(a, of_b), (b, of_a), *others]))

    assert "differ" in refusal(model, change)


def test_an_unknown_category_taken_for_a_known_one_is_found(model: PyFuncModel) -> None:
    def change(plan: Any) -> Any:
        columns = [
            replaced(c, cells=replaced(c.cells, unknown=c.cells.known[0][1]))
            if isinstance(c.cells, Table) and c.name == "plan"
            else c
            for c in plan.columns
        ]
        return replaced(plan, columns=columns)

    assert "differ" in refusal(model, change)


def test_a_leaf_that_is_off_by_a_billionth_share_is_found(model: PyFuncModel) -> None:
    def change(plan: Any) -> Any:
        values = np.frombuffer(plan.engine.values).copy()
        values += 1e-7
        return replaced(plan, engine=replaced(plan.engine, values=values.tobytes()))

    assert "differ" in refusal(model, change)


def test_a_program_that_reads_none_of_the_reference_rows_is_refused(model: PyFuncModel) -> None:
    with pytest.raises(NotCompilable, match="plain rows"):
        verification.check(compile_model(model), model, [["a", "b", "c", "d", "e"]])


def test_a_program_that_answers_where_the_original_fails_is_refused() -> None:
    table = customers(missing=False)
    strict = at(0.4, fitted(RandomForestClassifier(5, random_state=0)))
    strict.estimator_.named_steps["prepare"].named_transformers_["text"].handle_unknown = "ignore"
    model = as_loaded(strict, table)
    program = compile_model(model)
    strict.estimator_.named_steps["prepare"].named_transformers_["text"].handle_unknown = "error"

    with pytest.raises(NotCompilable, match="fails"):
        verification.check(program, model, rows_of(table[:60]))


def test_time_that_is_up_ends_the_trial_of_splits_and_is_told(model: PyFuncModel) -> None:
    compared = verification.check(compile_model(model), model, rows_of(customers(60)), seconds=0)

    assert 0 < compared.trees <= compared.of

"""A compiled model that is the least bit wrong is refused."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from mlflow.pyfunc import PyFuncModel
from mlflow.types import ParamSchema, ParamSpec
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from terna.compiler.compile import compile_model
from terna.compiler.ir.nodes import NODE, unpack
from terna.compiler.ir.plan import Linear, Lookup, slot_order
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.verification.verification import compile_verified, verify
from terna.contracts.scoring import PREDICT_METHOD
from terna.errors import NotCompilable
from terna.predictor.pyfunc_model import PyfuncModel
from tests.unit.compiler.models import (
    as_loaded,
    classes,
    customers,
    fitted,
    rows_of,
    with_threshold,
)

pytestmark = pytest.mark.filterwarnings("ignore:Found unknown categories")

replaced: Any = msgspec.structs.replace
ESTIMATORS = {
    "forest": RandomForestClassifier(20, random_state=0),
    "boosting": HistGradientBoostingClassifier(max_iter=20, random_state=0, early_stopping=False),
}


@pytest.fixture(scope="module", params=ESTIMATORS)
def model(request: pytest.FixtureRequest) -> PyFuncModel:
    return as_loaded(with_threshold(0.4, fitted(ESTIMATORS[request.param])), customers())


Change = Callable[[Any], Any]


def reason(model: PyFuncModel, change: Change) -> str:
    """Return why a compiled model with a changed plan is refused."""
    compiled = CompiledModel(change(compile_model(model).plan))
    with pytest.raises(NotCompilable) as refused:
        verify(compiled, PyfuncModel(model), rows_of(customers(60)), seconds=60)
    return str(refused.value)


def nodes_of(plan: Any) -> np.ndarray[Any, Any]:
    return np.frombuffer(plan.engine.nodes, NODE[plan.engine.cells_in_float32]).copy()


def with_nodes(plan: Any, nodes: np.ndarray[Any, Any]) -> Any:
    return replaced(plan, engine=replaced(plan.engine, nodes=nodes.tobytes()))


def splits_on(plan: Any, column: str) -> np.ndarray[Any, Any]:
    """Return the nodes that split a column's numbers, and not only the missing from the others."""
    columns = [plan.columns[number] for number in slot_order(plan.columns)]
    names = [c.name for c in columns for _ in range(c.slots)]
    slots = [number for number, name in enumerate(names) if name == column]
    nodes = unpack(plan.engine.nodes, plan.engine.cells_in_float32, len(names))
    return np.flatnonzero(np.isin(nodes.slot, slots) & np.isfinite(nodes.threshold))


def test_equal_model_is_accepted_with_every_split_verified(model: PyFuncModel) -> None:
    rows = rows_of(customers(60))

    report = verify(compile_model(model), PyfuncModel(model), rows, seconds=60)

    assert report.trees_verified == report.trees == 20
    assert report.rows > 1000


@pytest.mark.parametrize("towards", [-np.inf, np.inf])
@pytest.mark.parametrize("which", [0, 7, -1])
def test_one_split_that_is_off_by_its_last_bit_is_found(
    model: PyFuncModel, which: int, towards: float
) -> None:
    def change(plan: Any) -> Any:
        nodes, node = nodes_of(plan), splits_on(plan, "minutes")[which]
        nodes["threshold"][node] = np.nextafter(nodes["threshold"][node], towards)
        return with_nodes(plan, nodes)

    assert "differ" in reason(model, change)


def test_missing_values_that_go_to_the_other_child_are_found(model: PyFuncModel) -> None:
    def change(plan: Any) -> Any:
        columns = [
            replaced(c, cells=replaced(c.cells, missing=tuple(-np.inf for _ in c.cells.missing)))
            if c.name == "minutes"
            else c
            for c in plan.columns
        ]
        return replaced(plan, columns=columns)

    assert "differ" in reason(model, change)


def test_dropped_decision_threshold_is_found(model: PyFuncModel) -> None:
    half = {"forest": 10.0, "boosting": 0.0}

    def change(plan: Any) -> Any:
        bound = half["forest" if plan.postprocessor.name == "mean" else "boosting"]
        return replaced(plan, output=replaced(plan.output, bound=bound))

    assert "predictions" in reason(model, change)


def test_swapped_labels_are_found(model: PyFuncModel) -> None:
    def change(plan: Any) -> Any:
        below, above = plan.output.below, plan.output.above
        return replaced(plan, output=replaced(plan.output, below=above, above=below))

    assert "predictions" in reason(model, change)


def test_labels_of_another_type_are_found(model: PyFuncModel) -> None:
    def change(plan: Any) -> Any:
        return replaced(plan, output=replaced(plan.output, above=True))

    assert "predictions" in reason(model, change)


def test_swapped_categories_are_found(model: PyFuncModel) -> None:
    def change(plan: Any) -> Any:
        return replaced(plan, columns=[mixed(c) if c.name == "plan" else c for c in plan.columns])

    def mixed(column: Any) -> Any:
        (a, of_a), (b, of_b), *others = column.cells.known
        return replaced(column, cells=replaced(column.cells, known=[(a, of_b), (b, of_a), *others]))

    assert "differ" in reason(model, change)


def test_unknown_category_taken_for_a_known_one_is_found(model: PyFuncModel) -> None:
    def change(plan: Any) -> Any:
        columns = [
            replaced(c, cells=replaced(c.cells, unknown=c.cells.known[0][1]))
            if isinstance(c.cells, Lookup) and c.name == "plan"
            else c
            for c in plan.columns
        ]
        return replaced(plan, columns=columns)

    assert "differ" in reason(model, change)


def test_leaf_that_is_off_by_1e_7_is_found(model: PyFuncModel) -> None:
    def change(plan: Any) -> Any:
        values = np.frombuffer(plan.engine.leaf_values).copy()
        values += 1e-7
        return replaced(plan, engine=replaced(plan.engine, leaf_values=values.tobytes()))

    assert "differ" in reason(model, change)


def test_reference_rows_of_other_types_are_refused(model: PyFuncModel) -> None:
    with pytest.raises(NotCompilable, match="strictly typed rows"):
        verify(compile_model(model), PyfuncModel(model), [["a", "b", "c", "d", "e"]])


def test_model_that_predicts_where_pyfunc_fails_is_refused() -> None:
    table = customers(missing=False)
    strict = with_threshold(0.4, fitted(RandomForestClassifier(5, random_state=0)))
    strict.estimator_.named_steps["prepare"].named_transformers_["text"].handle_unknown = "ignore"
    model = as_loaded(strict, table)
    compiled = compile_model(model)
    strict.estimator_.named_steps["prepare"].named_transformers_["text"].handle_unknown = "error"

    with pytest.raises(NotCompilable, match="fails"):
        verify(compiled, PyfuncModel(model), rows_of(table[:60]))


def test_report_says_how_many_trees_fit_into_the_time(model: PyFuncModel) -> None:
    report = verify(compile_model(model), PyfuncModel(model), rows_of(customers(60)), seconds=0)

    assert 0 < report.trees_verified <= report.trees


def test_unexpected_error_is_refused_with_its_type(model: PyFuncModel) -> None:
    class NoEstimator:
        metadata = model.metadata

        def get_raw_model(self) -> Any:
            raise NotImplementedError

    with pytest.raises(NotCompilable, match="unexpected NotImplementedError"):
        compile_verified(NoEstimator(), PyfuncModel(model), rows_of(customers(60)))  # type: ignore[arg-type]


def test_number_that_is_off_by_its_last_bit_is_refused() -> None:
    table = customers(missing=False)[["minutes", "calls"]]
    loaded = as_loaded(LinearRegression().fit(table, table["minutes"] / 3), table)
    plan: Any = compile_model(loaded).plan
    (intercept,) = plan.engine.intercepts
    off = replaced(plan.engine, intercepts=(float(np.nextafter(intercept + 1, 9)) - 1,))

    with pytest.raises(NotCompilable, match="predictions"):
        verify(CompiledModel(replaced(plan, engine=off)), PyfuncModel(loaded), rows_of(table[:60]))


def test_probability_that_is_off_by_its_last_bit_leaves_probabilities_to_pyfunc() -> None:
    class OneBitOff(PyfuncModel):
        def scores_and_answer(self, rows: Any) -> Any:
            scores, answer = super().scores_and_answer(rows)
            return np.nextafter(scores, 1), answer

    loaded = as_loaded(fitted(RandomForestClassifier(5, random_state=0)), customers())
    rows = rows_of(customers(60))

    compiled, report = compile_verified(loaded, OneBitOff(loaded), rows)

    assert not report.equal_probabilities
    assert compiled.predict_rows(rows) == PyfuncModel(loaded).predict_rows(rows)
    assert compiled.predict_proba_rows(rows) is None


def test_parameter_that_the_model_declares_itself_leaves_probabilities_to_pyfunc() -> None:
    loaded = as_loaded(fitted(RandomForestClassifier(5, random_state=0)), customers())
    own = ParamSchema([ParamSpec(PREDICT_METHOD, "string", "predict")])
    loaded.metadata.signature.params = own
    rows = rows_of(customers(60))

    compiled, _ = compile_verified(loaded, PyfuncModel(loaded), rows)

    assert compiled.predict_proba_rows(rows) is None


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("names", [("no", "yes"), ("a", "b", "c")])
def test_linear_model_gets_the_layout_of_its_pipeline(sparse: bool, names: tuple[str]) -> None:
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=sparse)
    parts = [("n", StandardScaler(), ["minutes", "calls"]), ("t", encoder, ["plan", "city"])]
    prepare = ColumnTransformer(parts, sparse_threshold=float(sparse))
    table = customers(missing=False)
    model = make_pipeline(prepare, LogisticRegression(max_iter=300))
    loaded = as_loaded(model.fit(table, classes(table, names)), table)
    rows = rows_of(table)

    compiled, _ = compile_verified(loaded, PyfuncModel(loaded), rows[:60])

    assert isinstance(compiled.plan.engine, Linear)
    assert (compiled.plan.engine.layout == "sparse") == sparse
    for count in (1, 2, 7, len(rows)):
        expected = PyfuncModel(loaded).scores(rows[:count]).tolist()
        assert compiled.predict_proba_rows(rows[:count]) == expected


def test_labels_without_probabilities_are_refused(model: PyFuncModel) -> None:
    compiled = CompiledModel(replaced(compile_model(model).plan, classes=None))

    with pytest.raises(NotCompilable, match="without probabilities"):
        verify(compiled, PyfuncModel(model), rows_of(customers(60)))

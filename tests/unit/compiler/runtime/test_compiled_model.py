"""A compiled model on disk is read again without the library that trained it, or not at all."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from msgspec import structs
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from terna.compiler.compile import compile_model
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.errors import NotCompilable
from terna.predictor.pyfunc_model import PyfuncModel
from tests.unit.compiler.models import (
    as_loaded,
    customers,
    fitted,
    rows_of,
    verified,
    with_threshold,
)

pytestmark = pytest.mark.filterwarnings("ignore:Found unknown categories")


@pytest.fixture(scope="module", params=["trees", "linear"])
def compiled(request: pytest.FixtureRequest) -> CompiledModel:
    linear = request.param == "linear"
    estimator = LogisticRegression() if linear else RandomForestClassifier(20, random_state=0)
    return compile_model(
        as_loaded(with_threshold(0.4, fitted(estimator, scaled=linear)), customers()), "m1"
    )


def test_decoded_model_predicts_the_same(compiled: CompiledModel) -> None:
    again = CompiledModel.decode(compiled.encode(), "m1")

    assert again.predict_rows(rows_of(customers())) == compiled.predict_rows(rows_of(customers()))
    assert again.backend == compiled.backend


def test_forest_with_a_threshold_has_probabilities_of_both_classes() -> None:
    model = as_loaded(with_threshold(0.4, fitted(RandomForestClassifier(20))), customers())
    compiled = verified(model)
    rows = rows_of(customers())

    again = CompiledModel.decode(compiled.encode(), "")

    assert again.classes == ["no", "yes"]
    assert again.has_equal_probabilities
    assert again.predict_proba_rows(rows) == PyfuncModel(model).scores(rows).tolist()


def test_probabilities_that_nobody_has_verified_are_left_to_pyfunc(compiled: CompiledModel) -> None:
    assert not compiled.has_equal_probabilities
    assert compiled.predict_proba_rows(rows_of(customers())) is None


def test_probabilities_of_a_row_that_is_not_strictly_typed_are_left_to_pyfunc(
    compiled: CompiledModel,
) -> None:
    equal = CompiledModel(structs.replace(compiled.plan, has_equal_probabilities=True))

    assert equal.predict_proba_rows(rows_of(customers(2))) is not None
    assert equal.predict_proba_rows([["a", "b", "c", "d", "e"]]) is None


def test_regression_has_no_classes() -> None:
    table = customers(missing=False)[["minutes", "calls"]]
    compiled = verified(as_loaded(LinearRegression().fit(table, table["minutes"]), table), table)

    assert compiled.classes is None
    assert compiled.predict_proba_rows([[1.0, 2]]) is None


def test_worker_needs_neither_scikit_learn_nor_pandas_nor_mlflow(
    compiled: CompiledModel, tmp_path: Path
) -> None:
    (tmp_path / "program").write_bytes(compiled.encode())
    (tmp_path / "rows.json").write_text(json.dumps(rows_of(customers())))
    code = f"""
import json, pathlib, sys
from terna.compiler.runtime.compiled_model import CompiledModel
folder = pathlib.Path({str(tmp_path)!r})
compiled = CompiledModel.decode((folder / "program").read_bytes(), "m1")
print(compiled.predict_rows(json.loads((folder / "rows.json").read_text())))
print(sorted({{"sklearn", "scipy", "pandas", "mlflow"}} & set(sys.modules)))
"""

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    expected = compiled.predict_rows(rows_of(customers()))
    assert told.stdout.splitlines() == [str(expected), "[]"]


def test_model_with_another_cache_key_is_refused(compiled: CompiledModel) -> None:
    with pytest.raises(NotCompilable, match="another model"):
        CompiledModel.decode(compiled.encode(), "m2")


@pytest.mark.parametrize("content", [b"", b"no program", None])
def test_content_that_is_no_compiled_model_is_refused(
    compiled: CompiledModel, content: bytes | None
) -> None:
    with pytest.raises(NotCompilable, match="no compiled model"):
        CompiledModel.decode(compiled.encode()[:-40] if content is None else content, "m1")


def test_many_threads_get_the_same_predictions(compiled: CompiledModel) -> None:
    rows = rows_of(customers())
    expected = compiled.predict_rows(rows) or []
    wrong: list[int] = []

    def ask() -> None:
        for count in [len(rows), 3] * 20:
            wrong.extend([1] * (compiled.predict_rows(rows[:count]) != expected[:count]))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert expected
    assert wrong == []


def test_backend_names_what_computes(compiled: CompiledModel) -> None:
    assert compiled.backend in ("compiled: trees", "compiled: linear")

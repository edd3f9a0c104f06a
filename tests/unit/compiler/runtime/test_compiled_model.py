"""A program on disk: read again without the library that trained it, or not at all."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from terna.compiler.compile import compile_model
from terna.compiler.ir.plan import NODE, Plan
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.errors import NotCompilable
from tests.unit.compiler.models import as_loaded, at, customers, fitted, rows_of

pytestmark = pytest.mark.filterwarnings("ignore:Found unknown categories")
replaced: Any = msgspec.structs.replace


@pytest.fixture(scope="module", params=["trees", "linear"])
def program(request: pytest.FixtureRequest) -> CompiledModel:
    linear = request.param == "linear"
    estimator = LogisticRegression() if linear else RandomForestClassifier(20, random_state=0)
    return compile_model(as_loaded(at(0.4, fitted(estimator, scaled=linear)), customers()), "m1")


@pytest.fixture(scope="module")
def trees() -> Plan:
    model = as_loaded(at(0.4, fitted(RandomForestClassifier(20, random_state=0))), customers())
    return compile_model(model).plan


def test_a_program_read_again_answers_the_same(program: CompiledModel) -> None:
    again = CompiledModel.decode(program.encode(), "m1")

    assert again.predict_rows(rows_of(customers())) == program.predict_rows(rows_of(customers()))
    assert again.kind == program.kind


def test_a_worker_that_reads_it_needs_neither_scikit_learn_nor_pandas_nor_mlflow(
    program: CompiledModel, tmp_path: Path
) -> None:
    (tmp_path / "program").write_bytes(program.encode())
    (tmp_path / "rows.json").write_text(json.dumps(rows_of(customers())))
    code = f"""
import json, pathlib, sys
from terna.compiler.runtime.compiled_model import CompiledModel
folder = pathlib.Path({str(tmp_path)!r})
program = CompiledModel.decode((folder / "program").read_bytes(), "m1")
print(program.predict_rows(json.loads((folder / "rows.json").read_text())))
print(sorted({{"sklearn", "scipy", "pandas", "mlflow"}} & set(sys.modules)))
"""

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    expected = program.predict_rows(rows_of(customers()))
    assert told.stdout.splitlines() == [str(expected), "[]"]


def test_a_program_made_for_another_model_is_not_read(program: CompiledModel) -> None:
    with pytest.raises(NotCompilable, match="another model"):
        CompiledModel.decode(program.encode(), "m2")


@pytest.mark.parametrize("content", [b"", b"no program", None])
def test_what_is_no_program_is_not_read(program: CompiledModel, content: bytes | None) -> None:
    with pytest.raises(NotCompilable, match="no program"):
        CompiledModel.decode(program.encode()[:-40] if content is None else content, "m1")


@pytest.mark.parametrize(
    ("field", "value"), [("left", 10**6), ("left", -1), ("slot", 10**6), ("slot", -1)]
)
def test_trees_that_lead_out_of_their_arrays_are_not_walked(
    trees: Any, field: str, value: int
) -> None:
    nodes = np.frombuffer(trees.engine.nodes, NODE).copy()
    nodes[field][5] = value

    with pytest.raises(ValueError, match="lead out"):
        CompiledModel(replaced(trees, engine=replaced(trees.engine, nodes=nodes.tobytes())))


@pytest.mark.parametrize("part", ["leaf", "roots", "targets"])
def test_places_that_lead_out_of_their_arrays_are_not_used(trees: Any, part: str) -> None:
    numbers = np.frombuffer(getattr(trees.engine, part), "<i4").copy()
    numbers[1] = 10**6

    with pytest.raises(ValueError, match="lead out"):
        CompiledModel(replaced(trees, engine=replaced(trees.engine, **{part: numbers.tobytes()})))


def test_many_threads_may_ask_at_once(program: CompiledModel) -> None:
    rows = rows_of(customers())
    expected = program.predict_rows(rows) or []
    wrong: list[int] = []

    def ask() -> None:
        for count in [len(rows), 3] * 20:
            wrong.extend([1] * (program.predict_rows(rows[:count]) != expected[:count]))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert expected
    assert wrong == []


def test_what_answers_is_told(program: CompiledModel) -> None:
    assert program.kind in ("compiled: trees", "compiled: linear")

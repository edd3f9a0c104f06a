"""Every model that `terna train` can publish becomes a program that answers the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.pyfunc import PyFuncModel, load_model
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier

from terna.compiler.compile import compile_model
from terna.compiler.verification import verification
from terna.errors import NotCompilable
from terna.training import publish
from terna.training.families import FAMILIES
from tests.unit.compiler.models import (
    Compiled,
    as_loaded,
    at,
    customers,
    fitted,
    rows_of,
    served,
)

SMALL = {"n_estimators": 20, "max_iter": 20}
pytestmark = pytest.mark.filterwarnings("ignore:Found unknown categories")


def estimator(family: str) -> BaseEstimator:
    """A family's default, made small."""
    params = {k: SMALL.get(k, v) for k, v in FAMILIES[family].default.items()}
    return FAMILIES[family].build(params, seed=0)


def published(family: str, names: tuple[Any, ...], folder: Path) -> PyFuncModel:
    """As `terna publish` writes it, and MLflow loads it."""
    model = fitted(estimator(family), FAMILIES[family].scaled, names)
    model = at(0.37, model) if len(names) == 2 else model
    identity = {"model": "churn", "run_id": "run1", "model_id": "m-1"}
    publish.write_model_directory(folder, model, customers(), identity, seed=0)
    return load_model(str(folder))


@pytest.mark.parametrize(
    "names", [("no", "yes"), ("a", "b", "c", "d"), (3, 5, 70)], ids=["two", "four", "numbers"]
)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.filterwarnings("ignore")
def test_what_terna_publishes_answers_the_same_compiled(
    family: str, names: tuple[Any, ...], tmp_path: Path
) -> None:
    model = published(family, names, tmp_path / "model")
    program = compile_model(model)

    compared = verification.check(program, model, rows_of(customers(60)))

    rows, expected = rows_of(customers()), served(model, rows_of(customers()))
    assert program.predict_rows(rows) == program.predict_frame(customers()) == expected
    alone = [program.predict_rows([row]) for row in rows]
    assert alone == [served(model, [row]) for row in rows]
    assert set(map(type, expected)) == {type(names[0])}
    assert len(set(expected)) == len(names)
    assert compared.trees == compared.of == (0 if family == "logistic_regression" else compared.of)


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 0.81, 1.0, 1.5])
@pytest.mark.parametrize("positive", ["no", "yes"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.filterwarnings("ignore")
def test_the_threshold_is_inside_the_program(family: str, positive: str, threshold: float) -> None:
    model = at(threshold, fitted(estimator(family), FAMILIES[family].scaled), positive)

    program = Compiled.of(as_loaded(model, customers())).program

    assert program.predict_rows(rows_of(customers())) == model.predict(customers()).tolist()


@pytest.mark.filterwarnings("ignore")
def test_a_row_exactly_at_the_threshold_is_positive_as_it_is_for_the_original() -> None:
    forest = fitted(RandomForestClassifier(8, max_depth=2, random_state=0))
    probability = forest.predict_proba(customers())[:, 1]

    for threshold in np.unique(probability)[::40]:
        model = at(float(threshold), forest)
        program = Compiled.of(as_loaded(model, customers())).program
        assert program.predict_rows(rows_of(customers())) == model.predict(customers()).tolist()


def test_columns_without_a_name_are_not_compiled() -> None:
    model = as_loaded(fitted(estimator("random_forest")), customers())
    model.metadata.signature.inputs.inputs[0]._name = None

    with pytest.raises(NotCompilable, match="does not name columns"):
        compile_model(model)

"""Every model that `terna train` can publish predicts the same compiled."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.pyfunc import PyFuncModel, load_model
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier

from terna.compiler.compile import compile_model
from terna.compiler.verification.verification import verify
from terna.errors import NotCompilable
from terna.predictor.inputs import rows_of_frame
from terna.predictor.pyfunc_model import PyfuncModel
from terna.training import publish
from terna.training.families import FAMILIES
from tests.unit.compiler.models import (
    as_loaded,
    customers,
    fitted,
    predict,
    rows_of,
    verified,
    with_threshold,
)

SMALL = {"n_estimators": 20, "max_iter": 20}
pytestmark = pytest.mark.filterwarnings("ignore:Found unknown categories")


def estimator(family: str) -> BaseEstimator:
    """Return a family's default, made small."""
    params = {k: SMALL.get(k, v) for k, v in FAMILIES[family].default.items()}
    return FAMILIES[family].build(params, seed=0)


def published(family: str, names: tuple[Any, ...], folder: Path) -> PyFuncModel:
    """Return a model as `terna publish` writes it and MLflow loads it."""
    model = fitted(estimator(family), FAMILIES[family].scaled, names)
    model = with_threshold(0.37, model) if len(names) == 2 else model
    identity = {"model": "churn", "run_id": "run1", "model_id": "m-1"}
    publish.write_model_directory(folder, model, customers(), identity, seed=0)
    return load_model(str(folder))


@pytest.mark.parametrize(
    "names", [("no", "yes"), ("a", "b", "c", "d"), (3, 5, 70)], ids=["two", "four", "numbers"]
)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.filterwarnings("ignore")
def test_published_model_predicts_the_same_compiled(
    family: str, names: tuple[Any, ...], tmp_path: Path
) -> None:
    model = published(family, names, tmp_path / "model")
    compiled = compile_model(model)

    report = verify(compiled, PyfuncModel(model), rows_of(customers(60)))

    rows, expected = rows_of(customers()), predict(model, rows_of(customers()))
    assert compiled.predict_rows(rows) == expected
    frame_rows = rows_of_frame(customers(), compiled.names)
    assert frame_rows is not None
    assert compiled.predict_rows(frame_rows) == expected
    alone = [compiled.predict_rows([row]) for row in rows]
    assert alone == [predict(model, [row]) for row in rows]
    assert set(map(type, expected)) == {type(names[0])}
    assert len(set(expected)) == len(names)
    assert report.trees_verified == report.trees
    assert (report.trees == 0) == (family == "logistic_regression")


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 0.81, 1.0, 1.5])
@pytest.mark.parametrize("positive", ["no", "yes"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.filterwarnings("ignore")
def test_compiled_model_applies_the_threshold(family: str, positive: str, threshold: float) -> None:
    model = with_threshold(threshold, fitted(estimator(family), FAMILIES[family].scaled), positive)

    compiled = verified(as_loaded(model, customers()))

    assert compiled.predict_rows(rows_of(customers())) == model.predict(customers()).tolist()


@pytest.mark.filterwarnings("ignore")
def test_row_exactly_at_the_threshold_is_positive_as_for_pyfunc() -> None:
    forest = fitted(RandomForestClassifier(8, max_depth=2, random_state=0))
    probability = forest.predict_proba(customers())[:, 1]

    for threshold in np.unique(probability)[::40]:
        model = with_threshold(float(threshold), forest)
        compiled = verified(as_loaded(model, customers()))
        assert compiled.predict_rows(rows_of(customers())) == model.predict(customers()).tolist()


@pytest.mark.parametrize("name", [None, 0])
def test_model_with_columns_that_no_text_names_is_refused(name: int | None) -> None:
    model = as_loaded(fitted(estimator("random_forest")), customers())
    model.metadata.signature.inputs.inputs[0]._name = name

    with pytest.raises(NotCompilable, match="does not name columns"):
        compile_model(model)


def test_model_that_predicts_by_another_method_is_refused() -> None:
    model = as_loaded(
        fitted(estimator("random_forest")), customers(), predict_fn="predict_log_proba"
    )

    with pytest.raises(NotCompilable, match="predicts by predict_log_proba"):
        compile_model(model)

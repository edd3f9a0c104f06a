"""Probabilities on request, by both protocols and both backends."""

import json
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pytest

from terna.contracts import open_inference
from terna.contracts.scoring import JSON, PROBABILITIES, Rows, ScoringRequest
from terna.errors import InvalidParameter
from terna.predictor.compiled_predictor import COMPILED, CompiledPredictor, Prediction
from terna.predictor.predictor import Predictor
from terna.predictor.probabilities import take_method
from tests.unit.workshop import COLUMNS, Direct, Workshop


class Certain(Direct):
    """A compiled model that says the same of each row."""

    def predict_proba_rows(self, rows: Rows) -> list[list[float]] | None:
        return [[0.25, 0.75]] * len(rows)


def ask(model: Predictor, rows: Rows, params: Any) -> Any:
    document = {"inputs": rows, "params": params}
    return json.loads(model.predict(ScoringRequest(JSON, json.dumps(document).encode())).body)


def expected(workshop: Workshop) -> list[list[float]]:
    """Return what the estimator itself says."""
    estimator = mlflow.pyfunc.load_model(str(workshop.folder / "model")).get_raw_model()
    probabilities: list[list[float]] = estimator.predict_proba(workshop.customers).tolist()
    return probabilities


def test_classifier_answers_the_probability_of_each_class(
    model: Predictor, workshop: Workshop
) -> None:
    answer = ask(model, workshop.rows(), PROBABILITIES)

    assert answer == {"predictions": expected(workshop), "classes": ["no", "yes"]}


@pytest.mark.parametrize("params", [None, {}, {"predict_method": "predict"}])
def test_without_the_parameter_answers_are_labels(
    model: Predictor, workshop: Workshop, params: Any
) -> None:
    answer = ask(model, workshop.rows()[:5], params)

    assert list(answer) == ["predictions"]
    assert set(answer["predictions"]) <= {"yes", "no"}


def test_compiled_model_answers_probabilities_where_it_has_them(
    workshop: Workshop, tmp_path: Path
) -> None:
    predictor = workshop.load(tmp_path / "model", compiled=Certain(None))
    complete = workshop.customers.dropna().astype(object).to_numpy().tolist()[:3]

    answer = ask(predictor, complete, PROBABILITIES)

    assert answer["predictions"] == [[0.25, 0.75]] * 3


ROWS = [[120.5, "basic", 3, True], [80.0, "extra", 1, False]]


@pytest.mark.parametrize(
    "document",
    [
        {"inputs": ROWS},
        {"dataframe_split": {"columns": list(COLUMNS), "data": ROWS}},
        {"dataframe_split": {"columns": list(COLUMNS), "data": ROWS, "index": ["a", "b"]}},
    ],
    ids=["inputs", "dataframe_split", "index"],
)
def test_compiled_model_answers_probabilities_without_mlflow(document: dict[str, Any]) -> None:
    body = json.dumps(document | {"params": PROBABILITIES}).encode()

    prediction = CompiledPredictor(Certain(None)).predict(ScoringRequest(JSON, body))

    text = b'{"predictions": [[0.25, 0.75], [0.25, 0.75]], "classes": ["no", "yes"]}'
    assert prediction == Prediction(text, COMPILED, 2)


@pytest.mark.parametrize(
    "params",
    [{"predict_method": "predict"}, {**PROBABILITIES, "more": 1}, {}, None, "predict_proba"],
)
def test_other_parameters_are_for_mlflow(params: Any) -> None:
    body = json.dumps({"inputs": [[120.5, "basic", 3, True]], "params": params}).encode()

    assert CompiledPredictor(Certain(None)).predict(ScoringRequest(JSON, body)) is None


def test_compiled_model_without_equal_probabilities_leaves_them_to_pyfunc() -> None:
    body = json.dumps({"inputs": [[120.5, "basic", 3, True]], "params": PROBABILITIES}).encode()

    assert CompiledPredictor(Direct(None)).predict(ScoringRequest(JSON, body)) is None


def test_probabilities_are_the_second_tensor_of_the_open_inference_protocol(
    model: Predictor, workshop: Workshop
) -> None:
    rows = workshop.customers.dropna()[:6]
    datatypes = {"minutes": "FP64", "plan": "BYTES", "calls": "INT64", "vip": "BOOL"}
    inputs = [
        {"name": n, "shape": [6], "datatype": datatypes[n], "data": rows[n].tolist()}
        for n in COLUMNS
    ]
    body = json.dumps({"inputs": inputs, "parameters": PROBABILITIES}).encode()

    answer = json.loads(model.infer(open_inference.parse(body)).body)

    labels, probabilities = answer["outputs"]
    assert (probabilities["name"], probabilities["datatype"]) == ("probabilities", "FP64")
    assert probabilities["shape"] == [6, 2]
    assert answer["parameters"] == {"classes": ["no", "yes"]}
    sure = np.array(probabilities["data"]).reshape(6, 2)[:, 1] >= 0.4
    assert labels["data"] == ["yes" if one else "no" for one in sure]


@pytest.mark.parametrize("method", ["proba", 1, None])
def test_unknown_method_is_refused(model: Predictor, workshop: Workshop, method: Any) -> None:
    with pytest.raises(InvalidParameter, match="must be predict or predict_proba"):
        ask(model, workshop.rows()[:1], {"predict_method": method})


def test_parameter_that_the_schema_declares_is_the_models_own() -> None:
    params = {"predict_method": "anything", "top": 3}

    assert take_method(params, frozenset({"predict_method"})) == (False, params)
    assert take_method(PROBABILITIES | {"top": 3}, frozenset({"top"})) == (True, {"top": 3})


def test_model_without_classes_says_that_it_gives_no_probabilities(
    model: Predictor, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model.pyfunc().model, "get_raw_model", lambda: object())

    with pytest.raises(InvalidParameter, match="gives no probabilities"):
        ask(model, workshop.rows()[:1], PROBABILITIES)

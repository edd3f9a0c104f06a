"""The check that a version answers its reference rows as training recorded."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from terna.contracts import reference_rows
from terna.contracts.scoring import ScoringRequest
from terna.contracts.version import Version
from terna.errors import ReferenceMismatch
from terna.predictor.compiled_predictor import Prediction
from terna.predictor.predictor import Predictor
from terna.predictor.pyfunc_model import PyfuncModel
from terna.predictor.reference_check import check_reference_rows
from tests.unit.workshop import Workshop

Edit = Callable[[dict[str, Any]], object]

CODE = """
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

class Model(PythonModel):
    def predict(self, {arguments}):
        {body}

set_model(Model())
"""


def test_matching_reference_rows_are_accepted(workshop: Workshop, tmp_path: Path) -> None:
    predictor = workshop.load(tmp_path / "model")

    check_reference_rows(predictor, tmp_path / "model")

    request, labels = reference_rows.read(tmp_path / "model")
    body = json.dumps(request).encode()
    answer = predictor.predict(ScoringRequest("application/json", body))
    assert json.loads(answer.body)["predictions"] == labels


def _swap_a_label(reference: dict[str, Any]) -> None:
    labels = reference["predictions"]
    labels[0] = {"yes": "no", "no": "yes"}[labels[0]]


def _forget_a_label(reference: dict[str, Any]) -> None:
    reference["predictions"].pop()


def _forget_a_row(reference: dict[str, Any]) -> None:
    reference["dataframe_split"]["data"].pop()


def _forget_all_rows(reference: dict[str, Any]) -> None:
    reference["dataframe_split"]["data"].clear()
    reference["predictions"].clear()


def _forget_all_labels(reference: dict[str, Any]) -> None:
    del reference["predictions"]


def _rename_a_column(reference: dict[str, Any]) -> None:
    reference["dataframe_split"]["columns"][0] = "hours"


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (_swap_a_label, "answers 1 of 300 reference rows other than training recorded"),
        (_forget_a_label, "answers 1 of 300 reference rows"),
        (_forget_a_row, "answers 1 of 300 reference rows"),
        (_forget_all_rows, "fails on its reference rows"),
        (_forget_all_labels, "has no reference rows"),
        (_rename_a_column, "fails on its reference rows"),
        (None, "has no reference rows"),
    ],
)
def test_different_reference_labels_are_rejected(
    workshop: Workshop, tmp_path: Path, edit: Edit | None, reason: str
) -> None:
    def change(folder: Path) -> None:
        file = folder / "reference.json"
        document = json.loads(file.read_text())
        file.unlink()
        if edit:
            edit(document)
            file.write_text(json.dumps(document))

    model = workshop.load(tmp_path / "model", change)

    with pytest.raises(ReferenceMismatch, match=f"churn version 1 {reason}"):
        check_reference_rows(model, tmp_path / "model")


class Answering(Predictor):
    """Answers every request with one body."""

    def __init__(self, body: bytes) -> None:
        self.version = Version("churn", 1, "")
        self._body = body

    def predict(self, request: ScoringRequest) -> Prediction:  # noqa: ARG002
        return Prediction(self._body, "pyfunc", 1)


def check_answer(folder: Path, predictions: Any, body: bytes) -> None:
    reference_rows.write(folder, {"inputs": [1]}, predictions)
    check_reference_rows(Answering(body), folder)


@pytest.mark.parametrize(
    "predictions",
    [
        3.5,
        None,
        "text",
        [None, 1],
        {"a": [1, 2]},
        [{"label": "yes", "p": 0.25}],
        [[[1.0]]],
        {"predictions": 1},
    ],
)
def test_recorded_answer_of_any_shape_is_accepted(tmp_path: Path, predictions: Any) -> None:
    body = json.dumps({"predictions": predictions}).encode()
    assert check_answer(tmp_path, predictions, body) is None  # type: ignore[func-returns-value]


def test_response_of_a_language_model_is_compared_whole(tmp_path: Path) -> None:
    response = {"choices": [1], "usage": None}
    check_answer(tmp_path, response, json.dumps(response).encode())
    with pytest.raises(ReferenceMismatch):
        check_answer(tmp_path, response, b'{"choices": [2], "usage": null}')


@pytest.mark.parametrize(
    ("predictions", "answer"),
    [
        (3.5, 3.25),
        (5, [5]),
        ([5], 5),
        ([1], [1.0]),
        ([1], [True]),
        ([0.0], [-0.0]),
        ([None], [0]),
        (None, []),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}),
        ([{"a": [1, {"b": 2}]}], [{"a": [1, {"b": 3}]}]),
        ([0.1], [0.1 + 2**-56]),
        ([1, 2], [1, 2, 3]),
        ([], []),
    ],
)
def test_answer_of_other_content_is_rejected(tmp_path: Path, predictions: Any, answer: Any) -> None:
    with pytest.raises(ReferenceMismatch, match="other than training recorded"):
        check_answer(tmp_path, predictions, json.dumps({"predictions": answer}).encode())


@pytest.mark.parametrize("body", [b'{"predictions": [NaN]}', b'{"predictions": {"a": [Infinity]}}'])
def test_nan_on_reference_rows_is_rejected(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(ReferenceMismatch, match="churn version 1 answers NaN"):
        check_answer(tmp_path, json.loads(body)["predictions"], body)


MODELS: dict[str, tuple[str, Schema | None, dict[str, Any], Any]] = {
    "images": (
        "return model_input.sum(axis=(1, 2, 3))",
        Schema([TensorSpec(np.dtype("float64"), (-1, 2, 2, 1))]),
        {"inputs": [[[[1.0], [2.0]], [[3.0], [4.0]]]]},
        [10.0],
    ),
    "unnamed columns": (
        "return model_input.sum(axis=1).tolist()",
        Schema([ColSpec(DataType.double), ColSpec(DataType.double)]),
        {"dataframe_split": {"columns": [0, 1], "data": [[1.0, 2.0], [3.0, 4.0]]}},
        [3.0, 7.0],
    ),
    "type hints": (
        "return [text.upper() for text in model_input]",
        None,
        {"inputs": ["a", "b"]},
        ["A", "B"],
    ),
    "dates": (
        "return model_input['when'].dt.year.tolist()",
        Schema([ColSpec(DataType.datetime, "when")]),
        {"dataframe_split": {"columns": ["when"], "data": [["2026-11-21T00:00:00"]]}},
        [2026],
    ),
    "records": (
        "return [{'label': text, 'length': len(text)} for text in model_input['text']]",
        Schema([ColSpec(DataType.string, "text")]),
        {"dataframe_records": [{"text": "one"}, {"text": "seven"}]},
        [{"label": "one", "length": 3}, {"label": "seven", "length": 5}],
    ),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_request_in_the_form_that_the_model_takes_is_asked(tmp_path: Path, name: str) -> None:
    body, schema, request, expected = MODELS[name]
    folder = save(tmp_path, body, schema)
    pyfunc = PyfuncModel(mlflow.pyfunc.load_model(str(folder)))
    predictor = Predictor(Version("any", 1, ""), lambda: pyfunc)
    reference_rows.write(folder, request, expected)
    check_reference_rows(predictor, folder)

    reference_rows.write(folder, request, expected[::-1] + expected)
    with pytest.raises(ReferenceMismatch, match="other than training recorded"):
        check_reference_rows(predictor, folder)


def save(root: Path, body: str, schema: Schema | None) -> Path:
    arguments = "model_input" if schema else "model_input: list[str]"
    (root / "code.py").write_text(CODE.format(arguments=arguments, body=body))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about signatures and type hints
        mlflow.pyfunc.save_model(
            str(root / "model"),
            python_model=str(root / "code.py"),
            signature=ModelSignature(schema) if schema else None,
            pip_requirements=[],
        )
    return root / "model"

"""A predictor labels rows as MLflow does, by either backend."""

import gc
import json
import math
import weakref
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas as pd
import pytest
from msgspec.structs import replace

from terna.contracts import open_inference
from terna.contracts.scoring import JSON, ScoringRequest, Table
from terna.errors import (
    BadRequest,
    PredictionFailed,
)
from terna.predictor import inputs
from terna.predictor.compiled_predictor import CompiledPredictor
from terna.predictor.mlflow_private import parse_json_data
from terna.predictor.predictor import Predictor
from terna.predictor.reference_check import check_reference_rows
from terna.serving.endpoints.deployment import Deployment
from tests.unit.workshop import COLUMNS, Direct, InProcessPool, Workshop

GOOD: list[Any] = [120.5, "basic", 3, True]
ROWS = [[minutes, plan, 4, True] for minutes in range(60, 180, 5) for plan in ("basic", "extra")]


def test_labels_equal_those_of_mlflow(model: Predictor, workshop: Workshop, tmp_path: Path) -> None:
    folder = workshop.make(tmp_path / "model")
    expected = mlflow.pyfunc.load_model(str(folder)).predict(workshop.customers).tolist()

    labels = model.predict_table(Table(workshop.rows()))

    assert labels == expected
    assert set(labels) == {"yes", "no"}


def test_json_forms_give_the_same_labels(model: Predictor, workshop: Workshop) -> None:
    rows = workshop.rows()[:40]
    records = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    lists = {name: [row[i] for row in rows] for i, name in enumerate(COLUMNS)}
    forms: list[dict[str, Any]] = [
        {"inputs": rows},
        {"inputs": records},
        {"inputs": lists},
        {"instances": rows},
        {"instances": records},
        {"dataframe_split": {"columns": COLUMNS, "data": rows}},
        {"dataframe_split": {"data": rows}},
        {"dataframe_split": {"columns": COLUMNS, "data": rows, "index": [*map(str, rows)]}},
        {"dataframe_split": {"data": rows, "index": ["the same"] * len(rows)}},
        {"dataframe_records": records},
    ]

    answers = {model.predict(ScoringRequest(JSON, json.dumps(form).encode())) for form in forms}

    (answer,) = answers
    assert json.loads(answer.body)["predictions"] == model.predict_table(Table(rows))


def test_named_columns_in_any_order_and_extra_ones_are_accepted(
    model: Predictor, workshop: Workshop
) -> None:
    rows = workshop.rows()
    shuffled = [["someone", *reversed(row)] for row in rows]

    labels = model.predict_table(Table(shuffled, ("customer", *reversed(COLUMNS))))

    assert labels == model.predict_table(Table(rows))


@pytest.mark.parametrize("missing", [None, math.nan])
@pytest.mark.parametrize("column", ["minutes", "plan"])
def test_null_and_nan_are_missing_numbers_and_texts(
    model: Predictor, workshop: Workshop, column: str, missing: float | None
) -> None:
    position = COLUMNS.index(column)
    rows = [[*row[:position], missing, *row[position + 1 :]] for row in workshop.rows()]
    table = workshop.customers.assign(**{column: missing}).astype(workshop.customers.dtypes)
    folder = str(workshop.folder / "model")
    expected = mlflow.pyfunc.load_model(folder).predict(table).tolist()

    assert model.predict_table(Table(rows)) == expected


def test_category_never_seen_in_training_is_labelled(model: Predictor) -> None:
    assert model.predict_table(Table([[120.5, "brand new — 客", 3, True]])) in (["yes"], ["no"])


@pytest.mark.parametrize(
    ("column", "value", "meant"),
    [
        ("minutes", 120, 120.0),
        ("minutes", "120", 120.0),
        ("calls", 3.0, 3),
        ("calls", 3.9, 3),
        ("calls", "3", 3),
        ("vip", 1, True),
        ("vip", None, False),
    ],
)
def test_value_is_coerced_as_by_mlflow(
    model: Predictor, column: str, value: Any, meant: Any
) -> None:
    given, expected = (
        [[v if c == column else cell for c, cell in zip(COLUMNS, row, strict=True)] for row in ROWS]
        for v in (value, meant)
    )

    labels = model.predict_table(Table(given))

    assert labels == model.predict_table(Table(expected))
    assert len(labels) == len(ROWS)


@pytest.mark.parametrize("missing", [None, math.nan])
def test_missing_text_alone_is_labelled_as_beside_others(
    model: Predictor, missing: float | None
) -> None:
    rows = [[minutes, missing, 5, True] for minutes in range(0, 200, 5)]
    records = [dict(zip(COLUMNS, row, strict=True)) for row in rows]

    together = model.predict_table(Table([*rows, GOOD]))[:-1]

    assert [model.predict_table(Table([row]))[0] for row in rows] == together
    for form in ("inputs", "instances", "dataframe_records"):
        bodies = [json.dumps({form: [record]}).encode() for record in records]
        alone = [model.predict(ScoringRequest(JSON, body)).body for body in bodies]
        assert [json.loads(body)["predictions"][0] for body in alone] == together


def test_empty_table_is_rejected_as_by_scikit_learn(model: Predictor) -> None:
    with pytest.raises(PredictionFailed, match="The model failed on these rows"):
        model.predict_table(Table([]))


def test_unused_predictor_frees_its_model(workshop: Workshop, tmp_path: Path) -> None:
    model = workshop.load(tmp_path / "model")
    check_reference_rows(model, tmp_path / "model")
    forest = model.pyfunc().model.get_raw_model()
    held = weakref.ref(model), weakref.ref(forest)

    del model, forest
    gc.collect()

    assert [reference() for reference in held] == [None, None]


def test_compiled_response_equals_pyfunc_response(workshop: Workshop, tmp_path: Path) -> None:
    compiled = workshop.compiled()
    predictor = workshop.load(tmp_path / "compiled", compiled=compiled)
    body = json.dumps({"inputs": workshop.rows()}).encode()

    prediction = predictor.predict(ScoringRequest(JSON, body))

    pyfunc = workshop.load(tmp_path / "model").predict(ScoringRequest(JSON, body))
    assert prediction == replace(pyfunc, backend="compiled")
    assert compiled.rows == [len(workshop.customers)]


def test_csv_rows_reach_the_compiled_model_through_mlflow_parser(
    workshop: Workshop, tmp_path: Path
) -> None:
    compiled = workshop.compiled()
    predictor = workshop.load(tmp_path / "compiled", compiled=compiled)
    rows = workshop.customers.dropna().to_csv(index=False).encode()

    prediction = predictor.predict(ScoringRequest("text/csv", rows))

    pyfunc = workshop.load(tmp_path / "model").predict(ScoringRequest("text/csv", rows))
    assert prediction == replace(pyfunc, backend="compiled")
    assert compiled.rows == [len(workshop.customers.dropna())]


def test_body_is_decoded_once_for_both_backends(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = workshop.load(tmp_path / "model", compiled=workshop.compiled())
    request = ScoringRequest(JSON, b'{"dataframe_records": [{"minutes": "1", "plan": "basic"}]}')
    given: list[Any] = []

    def parse(document: Any, *others: Any) -> Any:
        given.append(document)
        return parse_json_data(document, *others)

    monkeypatch.setattr(inputs, "parse_json_data", parse)

    with pytest.raises(BadRequest):
        predictor.predict(request)

    assert given[0] is request.document()


def test_error_is_the_same_with_a_compiled_model(workshop: Workshop, tmp_path: Path) -> None:
    models = [
        workshop.load(tmp_path / "model"),
        workshop.load(tmp_path / "compiled", compiled=workshop.compiled()),
    ]
    for row in ({"plan": "basic"}, {"minutes": "a lot", "plan": "x", "calls": 3, "vip": True}):
        body = json.dumps({"dataframe_records": [row]}).encode()
        refused = []
        for model in models:
            with pytest.raises(BadRequest) as error:
                model.predict(ScoringRequest(JSON, body))
            refused.append((type(error.value), str(error.value)))
        assert refused[0] == refused[1]


class Broken(Direct):
    """Fails, with a text that holds a customer's value."""

    def _predict(self, frame: pd.DataFrame) -> list[Any]:
        raise KeyError(frame["plan"][0])

    def predict_proba_rows(self, rows: Any) -> list[list[float]] | None:
        self.predict_rows(rows)
        return None


def test_rows_on_which_the_compiled_model_fails_are_answered_by_pyfunc(
    workshop: Workshop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = workshop.load(tmp_path / "broken", compiled=Broken(None))
    body = json.dumps({"inputs": workshop.rows()}).encode()

    prediction = broken.predict(ScoringRequest(JSON, body))

    assert prediction == workshop.load(tmp_path / "model").predict(ScoringRequest(JSON, body))
    assert caplog.messages == ["the compiled model failed: KeyError"]


@pytest.mark.parametrize("params", [{}, {"params": {"predict_method": "predict_proba"}}])
def test_failing_compiled_model_is_asked_once_for_a_request(
    workshop: Workshop, tmp_path: Path, params: dict[str, Any]
) -> None:
    compiled, failures = Broken(None), list[int]()
    broken = workshop.load(tmp_path / "broken", compiled=compiled)
    counting = CompiledPredictor(compiled, lambda: failures.append(1))
    deployment = Deployment(broken.version, InProcessPool(broken), counting)
    body = json.dumps({"inputs": workshop.rows(), **params}).encode()
    request = ScoringRequest(JSON, body)

    assert deployment.predict_compiled(request) is None
    assert deployment.predict(request).backend == "pyfunc"

    assert (len(compiled.rows), failures) == (2, [1])  # in the worker, and in its child


def test_failing_compiled_model_is_asked_once_for_tensors(
    workshop: Workshop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compiled = Broken(None)
    broken = workshop.load(tmp_path / "broken", compiled=compiled)
    table = workshop.customers.dropna()
    kinds = {"minutes": "FP64", "plan": "BYTES", "calls": "INT64", "vip": "BOOL"}
    inputs = [
        {"name": n, "shape": [len(table)], "datatype": kinds[n], "data": table[n].tolist()}
        for n in COLUMNS
    ]
    body = json.dumps({"inputs": inputs, "parameters": {}}).encode()

    assert broken.infer(open_inference.parse(body, "")).backend == "pyfunc"

    assert len(compiled.rows) == 1
    assert caplog.messages == ["the compiled model failed: KeyError"]

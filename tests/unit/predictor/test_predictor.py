"""One loaded version: which rows it takes, and that it labels them as MLflow itself does."""

import gc
import json
import math
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas as pd
import pytest

from terna.contracts.scoring import JSON, ScoringRequest, Table
from terna.contracts.version import Version
from terna.errors import (
    BadRequest,
    InvalidParameter,
    LoadFailed,
    PredictionFailed,
    ReferenceMismatch,
)
from terna.predictor import inputs
from terna.predictor.mlflow_private import parse_json_data
from terna.predictor.predictor import Prediction, Predictor
from terna.predictor.pyfunc_model import PyfuncModel
from terna.predictor.reference_check import check_reference_rows
from tests.unit.workshop import COLUMNS, NAME, Direct, Workshop

GOOD: list[Any] = [120.5, "basic", 3, True]
ROWS = [[minutes, plan, 4, True] for minutes in range(60, 180, 5) for plan in ("basic", "extra")]
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def model(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return workshop.load(tmp_path_factory.mktemp("loaded") / "model")


def changed(column: str, value: Any) -> list[Any]:
    return [value if c == column else v for c, v in zip(COLUMNS, GOOD, strict=True)]


def refusal(model: Predictor, rows: Table) -> str:
    with pytest.raises(BadRequest) as refused:
        model.predict_table(rows)
    return str(refused.value)


def test_labels_equal_those_of_mlflow_itself(
    model: Predictor, workshop: Workshop, tmp_path: Path
) -> None:
    folder = workshop.make(tmp_path / "model")
    expected = mlflow.pyfunc.load_model(str(folder)).predict(workshop.customers).tolist()

    labels = model.predict_table(Table(workshop.rows()))

    assert labels == expected
    assert set(labels) == {"yes", "no"}


def test_the_four_json_forms_give_the_same_labels(model: Predictor, workshop: Workshop) -> None:
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
        {"dataframe_records": records},
    ]

    answers = {model.predict(ScoringRequest(JSON, json.dumps(form).encode())) for form in forms}

    (answer,) = answers
    assert json.loads(answer.body)["predictions"] == model.predict_table(Table(rows))


def test_named_columns_may_come_in_any_order_and_with_others_between(
    model: Predictor, workshop: Workshop
) -> None:
    rows = workshop.rows()
    shuffled = [["someone", *reversed(row)] for row in rows]

    labels = model.predict_table(Table(shuffled, ("customer", *reversed(COLUMNS))))

    assert labels == model.predict_table(Table(rows))


def test_a_missing_column_is_named(model: Predictor) -> None:
    assert refusal(model, Table([GOOD[1:3]], COLUMNS[1:3])) == "Missing columns: minutes, vip."


def test_a_wrong_count_of_values_names_the_row_and_the_columns_wanted(model: Predictor) -> None:
    body = json.dumps({"inputs": [GOOD, GOOD[:-1]]}).encode()

    with pytest.raises(InvalidParameter) as refused:
        model.predict(ScoringRequest(JSON, body))

    assert str(refused.value) == (
        "Row 1 has 3 values, and the model takes 4: minutes, plan, calls, vip."
    )


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        ("minutes", "a lot", "a number or null"),
        ("minutes", [120.5], "a number or null"),
        ("minutes", math.inf, "a number or null"),
        ("minutes", -math.inf, "a number or null"),
        pytest.param("minutes", 10**400, "a number or null", id="minutes-huge"),
        ("plan", {"name": "basic"}, "text or null"),
        ("plan", "basic \ud800", "text or null"),
        ("calls", "many", "a whole number"),
        ("calls", None, "a whole number"),
        ("calls", math.nan, "a whole number"),
        ("calls", [3], "a whole number"),
        ("calls", 10**30, "a whole number"),
    ],
)
def test_a_value_of_the_wrong_type_names_row_and_column_but_not_the_value(
    model: Predictor, column: str, value: Any, wanted: str
) -> None:
    message = refusal(model, Table([GOOD, changed(column, value)]))

    assert message == f"Row 1: '{column}' must be {wanted}."


@pytest.mark.parametrize("missing", [None, math.nan])
@pytest.mark.parametrize("column", ["minutes", "plan"])
def test_null_and_nan_stand_for_a_missing_number_and_a_missing_text(
    model: Predictor, workshop: Workshop, column: str, missing: float | None
) -> None:
    position = COLUMNS.index(column)
    rows = [[*row[:position], missing, *row[position + 1 :]] for row in workshop.rows()]
    table = workshop.customers.assign(**{column: missing}).astype(workshop.customers.dtypes)
    folder = str(workshop.folder / "model")
    expected = mlflow.pyfunc.load_model(folder).predict(table).tolist()

    assert model.predict_table(Table(rows)) == expected


def test_a_category_never_seen_in_training_is_labelled(model: Predictor) -> None:
    assert model.predict_table(Table([changed("plan", "brand new — 客")])) in (["yes"], ["no"])


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
def test_a_value_is_coerced_as_mlflow_does_it(
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
def test_a_missing_text_means_the_same_alone_and_beside_others(
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


def test_no_rows_are_refused_as_scikit_learn_refuses_them(model: Predictor) -> None:
    with pytest.raises(PredictionFailed, match="The model failed on these rows"):
        model.predict_table(Table([]))


def _without_the_model_file(folder: Path) -> None:
    (folder / "model.skops").unlink()


def _with_a_flavor_that_is_not_installed(folder: Path) -> None:
    about = folder / "MLmodel"
    about.write_text(about.read_text().replace("loader_module: mlflow.sklearn", "loader_module: x"))


def _without_a_signature(folder: Path) -> None:
    about = folder / "MLmodel"
    about.write_text(about.read_text().partition("signature:")[0])


def _with_a_tensor_signature(folder: Path) -> None:
    tensor = '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}}]'
    before = (folder / "MLmodel").read_text().partition("signature:")[0]
    (folder / "MLmodel").write_text(f"{before}signature:\n  inputs: '{tensor}'\n  outputs: null\n")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_without_the_model_file, "cannot be loaded"),
        (_with_a_flavor_that_is_not_installed, "cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_a_directory_that_is_no_servable_model_is_refused(
    workshop: Workshop, tmp_path: Path, change: Callable[[Path], object], reason: str
) -> None:
    with pytest.raises(LoadFailed, match=f"churn version 1 {reason}"):
        workshop.load(tmp_path / "model", change)


def test_a_model_without_a_signature_is_asked_with_what_was_sent(
    workshop: Workshop, tmp_path: Path
) -> None:
    model = workshop.load(tmp_path / "model", _without_a_signature)
    table = json.loads(workshop.customers.to_json(orient="split"))
    del table["index"]

    body = json.dumps({"dataframe_split": table}).encode()
    answer = model.predict(ScoringRequest(JSON, body))

    signed = workshop.load(tmp_path / "signed")
    assert json.loads(answer.body)["predictions"] == signed.predict_table(Table(workshop.rows()))
    assert (model.pyfunc().names, answer.backend) == ([], "pyfunc")


def test_a_tensor_signature_is_enforced(workshop: Workshop, tmp_path: Path) -> None:
    model = workshop.load(tmp_path / "model", _with_a_tensor_signature)

    with pytest.raises(InvalidParameter, match="do not fit the model's schema"):
        model.predict(ScoringRequest(JSON, b'{"inputs": [[1, 2]]}'))


@pytest.mark.parametrize(
    "version", [Version("fraud", 1, "memory:/m-1", "run1"), Version(NAME, 1, "memory:/m-1", "run2")]
)
def test_the_signed_files_of_another_model_or_run_are_refused(
    workshop: Workshop, tmp_path: Path, version: Version
) -> None:
    with pytest.raises(LoadFailed, match="holds the files of another model or run"):
        PyfuncModel.load(version, workshop.make(tmp_path / "model"))


def test_the_reference_rows_are_answered_as_training_recorded(
    workshop: Workshop, tmp_path: Path
) -> None:
    check_reference_rows(workshop.load(tmp_path / "model"), tmp_path / "model")


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
        (_swap_a_label, "answers 1 of 160 reference rows other than training recorded"),
        (_forget_a_label, "answers 0 of 159 reference rows"),
        (_forget_a_row, "answers 0 of 160 reference rows"),
        (_forget_all_rows, "fails on its reference rows"),
        (_forget_all_labels, "has no reference rows"),
        (_rename_a_column, "fails on its reference rows"),
        (None, "has no reference rows"),
    ],
)
def test_a_model_that_answers_other_than_training_recorded_is_refused(
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


class AnsweringNaN(Predictor):
    def predict(self, request: ScoringRequest) -> Prediction:
        prediction = super().predict(request)
        return prediction._replace(body=prediction.body.replace(b'"yes"', b"NaN"))


def test_a_model_that_answers_nan_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    model = workshop.load_as(AnsweringNaN, tmp_path / "model")

    with pytest.raises(ReferenceMismatch, match="churn version 1 answers NaN"):
        check_reference_rows(model, tmp_path / "model")


def test_nothing_holds_a_model_that_is_let_go(workshop: Workshop, tmp_path: Path) -> None:
    model = workshop.load(tmp_path / "model")
    check_reference_rows(model, tmp_path / "model")
    forest = model.pyfunc().model.get_raw_model()
    held = weakref.ref(model), weakref.ref(forest)

    del model, forest
    gc.collect()

    assert [reference() for reference in held] == [None, None]


def test_a_compiled_model_answers_to_the_byte_what_pyfunc_answers(
    workshop: Workshop, tmp_path: Path
) -> None:
    compiled = workshop.compiled()
    predictor = workshop.load(tmp_path / "compiled", compiled=compiled)
    body = json.dumps({"inputs": workshop.rows()}).encode()

    prediction = predictor.predict(ScoringRequest(JSON, body))

    pyfunc = workshop.load(tmp_path / "model").predict(ScoringRequest(JSON, body))
    assert prediction == pyfunc._replace(backend="compiled")
    assert compiled.rows == [len(workshop.customers)]


def test_rows_that_only_mlflow_can_read_reach_the_compiled_model_through_its_parser(
    workshop: Workshop, tmp_path: Path
) -> None:
    compiled = workshop.compiled()
    predictor = workshop.load(tmp_path / "compiled", compiled=compiled)
    rows = workshop.customers.dropna().to_csv(index=False).encode()

    prediction = predictor.predict(ScoringRequest("text/csv", rows))

    pyfunc = workshop.load(tmp_path / "model").predict(ScoringRequest("text/csv", rows))
    assert prediction == pyfunc._replace(backend="compiled")
    assert compiled.rows == [len(workshop.customers.dropna())]


def test_mlflow_is_given_the_document_that_was_decoded_for_the_compiled_model(
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


def test_a_refusal_is_the_same_with_a_compiled_model(workshop: Workshop, tmp_path: Path) -> None:
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


def test_what_the_compiled_model_fails_on_is_answered_by_pyfunc(
    workshop: Workshop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Direct):
        def _predict(self, frame: pd.DataFrame) -> list[Any]:
            raise KeyError(frame["plan"][0])

    broken = workshop.load(tmp_path / "broken", compiled=Broken(None))
    body = json.dumps({"inputs": workshop.rows()}).encode()

    prediction = broken.predict(ScoringRequest(JSON, body))

    assert prediction == workshop.load(tmp_path / "model").predict(ScoringRequest(JSON, body))
    assert set(caplog.messages) == {"the compiled model failed: KeyError"}


def test_scores_and_labels_for_the_verification_are_those_of_the_model(workshop: Workshop) -> None:
    model = mlflow.pyfunc.load_model(str(workshop.folder / "model"))
    pyfunc = PyfuncModel(model)

    scores = pyfunc.scores(workshop.rows())

    assert pyfunc.predict_rows(workshop.rows()) == model.predict(workshop.customers).tolist()
    assert (scores == model.get_raw_model().predict_proba(workshop.customers)).all()

"""A version as MLflow loads it: which directories load, and what schemas they may have."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import mlflow.pyfunc
import pandas as pd
import pytest
from mlflow.types import ColSpec, DataType, Schema

from terna.contracts.scoring import JSON, ScoringRequest, Table
from terna.contracts.version import Version
from terna.errors import InvalidParameter, LoadFailed
from terna.predictor import pyfunc_model
from terna.predictor.inputs import restore_text_type, text_columns
from terna.predictor.mlflow_private import dataframe_from_parsed_json
from terna.predictor.pyfunc_model import PyfuncModel
from tests.unit.workshop import NAME, Workshop


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
def test_directory_without_loadable_model_raises_load_failed(
    workshop: Workshop, tmp_path: Path, change: Callable[[Path], object], reason: str
) -> None:
    with pytest.raises(LoadFailed, match=f"churn version 1 {reason}"):
        workshop.load(tmp_path / "model", change)


def test_model_without_schema_gets_what_was_sent(workshop: Workshop, tmp_path: Path) -> None:
    model = workshop.load(tmp_path / "model", _without_a_signature)
    table = json.loads(workshop.customers.to_json(orient="split"))
    del table["index"]

    body = json.dumps({"dataframe_split": table}).encode()
    answer = model.predict(ScoringRequest(JSON, body))

    signed = workshop.load(tmp_path / "signed")
    assert json.loads(answer.body)["predictions"] == signed.predict_table(Table(workshop.rows()))
    assert (model.pyfunc().names, answer.backend) == ([], "pyfunc")


def test_tensor_schema_is_enforced(workshop: Workshop, tmp_path: Path) -> None:
    model = workshop.load(tmp_path / "model", _with_a_tensor_signature)

    with pytest.raises(InvalidParameter, match="do not fit the model's schema"):
        model.predict(ScoringRequest(JSON, b'{"inputs": [[1, 2]]}'))


@pytest.mark.parametrize(
    "version", [Version("fraud", 1, "memory:/m-1", "run1"), Version(NAME, 1, "memory:/m-1", "run2")]
)
def test_files_of_another_model_or_run_raise_load_failed(
    workshop: Workshop, tmp_path: Path, version: Version
) -> None:
    with pytest.raises(LoadFailed, match="holds the files of another model or run"):
        PyfuncModel.load(version, workshop.make(tmp_path / "model"))


def test_scores_and_labels_for_the_verification_are_those_of_the_model(workshop: Workshop) -> None:
    model = mlflow.pyfunc.load_model(str(workshop.folder / "model"))
    pyfunc = PyfuncModel(model)

    scores = pyfunc.scores(workshop.rows())

    assert pyfunc.predict_rows(workshop.rows()) == model.predict(workshop.customers).tolist()
    assert (scores == model.get_raw_model().predict_proba(workshop.customers)).all()


WHOLE = [True, False, 1, 2**31 - 1, 7, 2**53, 1, 0.1, 3, 1e300, "a", "1"]
GAPS = [False, True, 0, 5, 0, 6, None, 2.5, None, -0.0, None, "b"]


@pytest.mark.parametrize("rows", [[WHOLE], [GAPS], [WHOLE, GAPS], [GAPS, WHOLE]])
def test_rows_of_the_verification_are_the_frame_that_mlflow_makes_of_them(
    workshop: Workshop, rows: list[list[Any]]
) -> None:
    names = ("boolean", "integer", "long", "float", "double", "string")
    schema = Schema([ColSpec(DataType[name], f"{name} {n}") for name in names for n in (1, 2)])
    pyfunc = PyfuncModel(mlflow.pyfunc.load_model(str(workshop.folder / "model")))
    pyfunc.schema = schema
    document = {"columns": schema.input_names(), "data": rows}
    expected = dataframe_from_parsed_json(document, "split", schema)
    restore_text_type(expected, text_columns(schema))

    with patch.object(pyfunc.model, "predict", return_value=[1]) as predict:
        pyfunc.answer(rows)

    pd.testing.assert_frame_equal(predict.call_args.args[0], expected, check_exact=True)


def _of_another_model(folder: Path) -> None:
    about = folder / "MLmodel"
    about.write_text(about.read_text().replace("model: churn", "model: fraud"))


def _of_no_python_flavor(folder: Path) -> None:
    about = folder / "MLmodel"
    about.write_text(about.read_text().replace("python_function:", "other_function:"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_of_another_model, "holds the files of another model or run"),
        (_of_no_python_flavor, "has no flavor python_function"),
    ],
)
def test_identity_and_flavor_are_checked_before_a_loader_runs(
    workshop: Workshop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], object],
    reason: str,
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(pyfunc_model, "load_model", loaded.append)

    with pytest.raises(LoadFailed, match=reason):
        workshop.load(tmp_path / "model", change)
    assert loaded == []


def test_model_that_ends_the_process_while_it_is_loaded_raises_load_failed(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(_: str) -> None:
        sys.exit("customer 42")

    monkeypatch.setattr(pyfunc_model, "load_model", leave)

    with pytest.raises(LoadFailed, match=r"cannot be loaded: SystemExit$"):
        workshop.load(tmp_path / "model")

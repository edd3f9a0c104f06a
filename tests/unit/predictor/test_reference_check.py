"""The check that a version labels its reference rows as training recorded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from terna.contracts import reference_rows
from terna.contracts.scoring import ScoringRequest
from terna.errors import ReferenceMismatch
from terna.predictor.compiled_predictor import Prediction
from terna.predictor.predictor import Predictor
from terna.predictor.reference_check import check_reference_rows
from tests.unit.workshop import Workshop

Edit = Callable[[dict[str, Any]], object]


def test_matching_reference_rows_are_accepted(workshop: Workshop, tmp_path: Path) -> None:
    predictor = workshop.load(tmp_path / "model")

    check_reference_rows(predictor, tmp_path / "model")

    table, labels = reference_rows.read(tmp_path / "model")
    assert predictor.predict_table(table) == labels


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


class AnsweringNaN(Predictor):
    def predict(self, request: ScoringRequest) -> Prediction:
        prediction = super().predict(request)
        return prediction._replace(body=prediction.body.replace(b'"yes"', b"NaN"))


def test_nan_on_reference_rows_is_rejected(workshop: Workshop, tmp_path: Path) -> None:
    model = workshop.load_as(AnsweringNaN, tmp_path / "model")

    with pytest.raises(ReferenceMismatch, match="churn version 1 answers NaN"):
        check_reference_rows(model, tmp_path / "model")

"""Calibrated classifiers predict the same compiled."""

from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier

from tests.unit.compiler.models import (
    as_loaded,
    check,
    classes,
    customers,
    fitted,
    rows_of,
    verified,
)

pytestmark = pytest.mark.filterwarnings("ignore")
FOREST = RandomForestClassifier(10, random_state=0)
CALIBRATED: dict[str, Any] = {
    "forest": CalibratedClassifierCV(FOREST, cv=3),
    "isotonic forest": CalibratedClassifierCV(FOREST, cv=3, method="isotonic"),
    "boosting": CalibratedClassifierCV(
        HistGradientBoostingClassifier(max_iter=5, random_state=0), cv=2
    ),
    "logistic": CalibratedClassifierCV(LogisticRegression(max_iter=500), cv=2),
}


@pytest.mark.parametrize("names", [("no", "yes"), (0, 1, 2)], ids=["two", "three"])
@pytest.mark.parametrize("name", CALIBRATED)
def test_compiled_calibrated_classifier_predicts_the_same(
    name: str, names: tuple[Any, ...]
) -> None:
    check(fitted(CALIBRATED[name], scaled=name == "logistic", names=names))


@pytest.mark.parametrize("name", CALIBRATED)
def test_model_saved_with_predict_proba_gives_probabilities(name: str) -> None:
    model = fitted(CALIBRATED[name], scaled=True)
    compiled = verified(as_loaded(model, customers(), predict_fn="predict_proba"))

    predictions = np.array(compiled.predict_rows(rows_of(customers())))

    assert predictions == pytest.approx(model.predict_proba(customers()), abs=1e-12)


@pytest.mark.parametrize("method", ["auto", "predict_proba"])
def test_threshold_on_calibrated_probabilities_is_compiled(method: str) -> None:
    model = FixedThresholdClassifier(
        fitted(CALIBRATED["forest"], scaled=True),
        threshold=0.3,
        pos_label="no",
        response_method=method,
    )

    check(model.fit(customers(), classes(customers())))

"""The model file: every family is loaded by trusting only the types that are listed."""

from pathlib import Path

import numpy as np
import pytest
import skops.io

from terna.errors import PhaseMissing
from terna.training import model_file
from terna.training.families import FAMILIES, Family
from tests.unit.training.lab import customers, fit_family, open_workspace


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_loaded_model_predicts_as_saved(tmp_path: Path, family: Family, classes: int) -> None:
    model, workspace = fit_family(family, classes=classes), open_workspace(tmp_path)
    model_file.save(workspace, model)
    loaded, inputs = model_file.load(workspace), customers(seed=5).drop(columns="churn")
    np.testing.assert_array_equal(loaded.predict(inputs), model.predict(inputs))


def test_only_needed_types_are_trusted() -> None:
    needed = {
        kind
        for family in FAMILIES.values()
        for kind in skops.io.get_untrusted_types(data=skops.io.dumps(fit_family(family)))
    }
    assert needed == set(model_file.TRUSTED_TYPES)


def test_model_before_evaluate_names_evaluate(tmp_path: Path) -> None:
    with pytest.raises(PhaseMissing, match="terna evaluate"):
        model_file.load(open_workspace(tmp_path))

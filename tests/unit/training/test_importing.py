"""Models that `terna train` did not make, with a registry in memory."""

import json
import os
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow.models import infer_signature
from mlflow.models.signature import ModelSignature
from mlflow.types import Schema, TensorSpec
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import FunctionTransformer

from terna.contracts import reference_rows
from terna.contracts.version import RELEASE_FILE, SIGNATURE_FILE, Version
from terna.errors import (
    DataError,
    LoadFailed,
    ModelRejected,
    SettingsError,
    SignatureInvalid,
    TrackingRefused,
    TrackingUnreachable,
    ValidationFailed,
)
from terna.predictor import model_process
from terna.security import signing
from terna.security.model_formats import find_code
from terna.settings import Settings
from terna.training import importing
from terna.training.asking import check_answers
from terna.training.importing import SOURCE_TAG, Registered
from tests.unit.training.lab import NAME, Lab

POINTS = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
LABELS = np.where(POINTS["a"] > 0, "yes", "no")
FOREST = RandomForestClassifier(3, random_state=0).fit(POINTS, LABELS)
SCHEMA = infer_signature(POINTS, LABELS)
NO_REQUIREMENTS: dict[str, Any] = {"pip_requirements": []}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    folder = tmp_path / "lab"
    folder.mkdir()
    release: dict[str, Any] = {
        "release_key": folder / "release.key",
        "release_public_key": folder / "release.pub",
    }
    signing.ensure_signing_keys(*release.values())
    return Lab(folder, seed=0, **release)


def save(folder: Path, model: Any = FOREST, **options: Any) -> Path:
    """Save a model as autologging does: a pickle."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about pickles
        defaults = {"serialization_format": "cloudpickle", "signature": SCHEMA, **NO_REQUIREMENTS}
        mlflow.sklearn.save_model(model, str(folder), **{**defaults, **options})
    return folder


def save_python(folder: Path, code: str, load: str = "pass", **options: Any) -> Path:
    """Save a pyfunc that runs `load`, and whose `predict` returns code of `model_input`."""
    script = folder.with_suffix(".py")
    script.write_text(
        "import os, random, time, mlflow\n"
        "class Model(mlflow.pyfunc.PythonModel):\n"
        "    def load_context(self, context):\n"
        f"        {load}\n"
        "    def predict(self, context, model_input, params=None):\n"
        f"        return {code}\n"
        "mlflow.models.set_model(Model())\n"
    )
    defaults = {"signature": ModelSignature(SCHEMA.inputs), **NO_REQUIREMENTS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about type hints
        mlflow.pyfunc.save_model(str(folder), python_model=str(script), **{**defaults, **options})
    return folder


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample.csv"
    POINTS.assign(label=LABELS).to_csv(path, index=False)
    return path


def put(lab: Lab, folder: Path, run_id: str = "") -> Version:
    """Register a directory as others do: unsigned."""
    return lab.registry.register(NAME, folder, "m-other", run_id)


def check_serves(lab: Lab, made: Registered) -> None:
    """Check what serving checks of a version first."""
    files = lab.registry.files(made.version)
    signing.verify(files, lab.settings.signing_public_key)
    check_answers(asdict(made.version), str(files))


# --- register ------------------------------------------------------------------------------------


def test_registered_directory_is_signed_and_answers_its_rows(
    lab: Lab, tmp_path: Path, sample: Path
) -> None:
    made = importing.register(lab.session, str(save(tmp_path / "mine")), sample)
    check_serves(lab, made)
    files = lab.registry.files(made.version)
    document = json.loads((files / reference_rows.FILE).read_text())
    split = document["dataframe_split"]
    assert split["columns"] == ["a", "b"]
    rows = pd.DataFrame(split["data"], columns=split["columns"])
    assert document["predictions"] == FOREST.predict(rows).tolist()
    assert len(document["predictions"]) == 60


def test_source_itself_is_not_changed(lab: Lab, tmp_path: Path, sample: Path) -> None:
    folder = save(tmp_path / "mine")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert before
    importing.register(lab.session, str(folder), sample)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_input_example_is_asked_where_there_is_no_sample(lab: Lab, tmp_path: Path) -> None:
    folder = save(tmp_path / "mine", input_example=POINTS.head(4))
    made = importing.register(lab.session, str(folder))
    check_serves(lab, made)
    document = json.loads((lab.registry.files(made.version) / reference_rows.FILE).read_text())
    assert document["predictions"] == FOREST.predict(POINTS.head(4)).tolist()


def test_directory_of_this_machine_gets_a_finished_run_of_its_own(
    lab: Lab, tmp_path: Path, sample: Path
) -> None:
    made = importing.register(lab.session, str(save(tmp_path / "mine")), sample)
    assert (made.version.run_id, lab.main_run.status) == ("run1", "FINISHED")
    document = yaml.safe_load((lab.registry.files(made.version) / "MLmodel").read_text())
    assert document["metadata"] == {
        "model": NAME,
        "run_id": "run1",
        "model_id": lab.main_run.models[0],
    }


def test_alias_and_tags_are_set(lab: Lab, tmp_path: Path, sample: Path) -> None:
    folder = str(save(tmp_path / "mine"))
    made = importing.register(lab.session, folder, sample, "candidate", {"owner": "sales"})
    assert lab.registry.other_aliases[NAME, "candidate"] == made.version.number
    assert lab.registry.tags[NAME, 1] == {"owner": "sales", SOURCE_TAG: folder}


def test_alias_of_production_is_left_to_promote(lab: Lab, tmp_path: Path, sample: Path) -> None:
    with pytest.raises(SettingsError, match="terna promote"):
        importing.register(lab.session, str(save(tmp_path / "mine")), sample, "production")
    assert lab.registry.versions == {}


def test_registered_version_is_a_source_and_keeps_its_run(
    lab: Lab, tmp_path: Path, sample: Path
) -> None:
    folder = save(tmp_path / "mine")
    text = (folder / "MLmodel").read_text()
    lab.runs.start("the script")
    (folder / "MLmodel").write_text(f"run_id: run1\n{text}")
    put(lab, folder)
    made = importing.register(lab.session, f"models:/{NAME}/1", sample)
    check_serves(lab, made)
    assert (made.version.number, made.version.run_id) == (2, "run1")


def test_pickled_scikit_learn_model_becomes_one_without_code(
    lab: Lab, tmp_path: Path, sample: Path
) -> None:
    folder = save(tmp_path / "mine")
    assert find_code(folder) == "it is a pickle"
    made = importing.register(lab.session, str(folder), sample)
    files = lab.registry.files(made.version)
    assert (made.code, find_code(files)) == ("", "")
    assert not list(files.rglob("*.pkl"))


def test_pickle_that_skops_may_not_build_stays_one(lab: Lab, tmp_path: Path, sample: Path) -> None:
    model = FunctionTransformer(check_serves)
    model.predict = np.ndim
    made = importing.register(lab.session, str(save(tmp_path / "mine", model)), sample)
    assert made.code == "it is a pickle"


@pytest.mark.parametrize("values", [[[[1.0, 2.0], [3.0, 4.0]]], [[[0.0, 0.0], [0.0, 1.0]]]])
def test_tensors_of_three_dimensions_are_asked_and_kept_as_they_are(
    lab: Lab, tmp_path: Path, values: Any
) -> None:
    images = ModelSignature(Schema([TensorSpec(np.dtype("float64"), (-1, 2, 2))]))
    folder = save_python(tmp_path / "mine", "model_input.sum(axis=(1, 2))", signature=images)
    request = tmp_path / "sample.json"
    request.write_text(json.dumps({"inputs": values}))
    made = importing.register(lab.session, str(folder), request)
    document = json.loads((lab.registry.files(made.version) / reference_rows.FILE).read_text())
    assert document == {"inputs": values, "predictions": [np.sum(values)]}
    assert "loader_module" in made.code


@pytest.mark.parametrize("answer", ["{'label': 'yes', 'p': [0.1]}", "7", "[{'x': None}]"])
def test_answer_of_any_shape_is_recorded(
    lab: Lab, tmp_path: Path, answer: str, sample: Path
) -> None:
    folder = save_python(tmp_path / "mine", answer)
    made = importing.register(lab.session, str(folder), sample)
    document = json.loads((lab.registry.files(made.version) / reference_rows.FILE).read_text())
    assert document["predictions"] == eval(answer)


def no_model(folder: Path) -> Path:
    folder.mkdir()
    return folder


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no directory": (lambda folder: folder, "There is no model at"),
    "no MLmodel": (no_model, "There is no model at"),
    "no schema": (lambda folder: save(folder, signature=False), "has no schema"),
    "failing": (lambda folder: save_python(folder, "1 / 0"), "fails on the sample"),
    "NaN": (lambda folder: save_python(folder, "float('nan')"), "answers NaN"),
    "random": (lambda folder: save_python(folder, "random.random()"), "differently each time"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_model_is_one_clear_line_and_nothing_is_registered(
    lab: Lab, tmp_path: Path, sample: Path, kind: str
) -> None:
    make, reason = BAD[kind]
    with pytest.raises(DataError, match=reason) as refused:
        importing.register(lab.session, str(make(tmp_path / "mine")), sample)
    assert len(str(refused.value).splitlines()) == 1
    assert (lab.registry.versions, lab.runs.runs) == ({}, {})


@pytest.mark.parametrize("source", ["models:/", "models:/churn", "runs:/run1", "s3://a/b", ""])
def test_source_of_no_known_form_is_one_clear_line(lab: Lab, source: str) -> None:
    with pytest.raises(DataError, match=r"There is no model at .*: name a folder") as refused:
        importing.register(lab.session, source)
    assert len(str(refused.value).splitlines()) == 1


def test_model_that_cannot_be_loaded_is_one_clear_line(
    lab: Lab, tmp_path: Path, sample: Path
) -> None:
    folder = save(tmp_path / "mine")
    (folder / "model.pkl").write_bytes(b"garbage")
    with pytest.raises(LoadFailed, match="cannot be loaded: ") as refused:
        importing.register(lab.session, str(folder), sample)
    assert len(str(refused.value).splitlines()) == 1


def test_no_sample_and_no_input_example_asks_for_a_sample(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="add --sample FILE"):
        importing.register(lab.session, str(save(tmp_path / "mine")))


def test_unreachable_tracking_server_closes_the_run_and_registers_nothing(
    lab: Lab, tmp_path: Path, sample: Path
) -> None:
    lab.registry.reachable = False
    with pytest.raises(TrackingUnreachable):
        importing.register(lab.session, str(save(tmp_path / "mine")), sample)
    assert (lab.registry.versions, lab.main_run.status) == ({}, "FAILED")


HARMFUL = {
    "exits": ("os._exit(3)", "ends the process that loads it: with exit code 3."),
    "aborts": ("os.abort()", "ends the process that loads it: by SIGABRT."),
    "hangs": ("time.sleep(4242)", "takes longer than TERNA_TRAINING_MODEL_SECONDS, which is 20."),
    "grows": ("self.grown = bytearray(3_000_000_000)", "cannot be loaded"),
}


@pytest.mark.parametrize("kind", HARMFUL)
def test_model_that_harms_its_process_is_one_clear_line_and_nothing_is_registered(
    tmp_path: Path, sample: Path, kind: str
) -> None:
    lab = Lab(tmp_path, ask=model_process.ask, seed=0, model_seconds=20, model_bytes=1_500_000_000)
    load, reason = HARMFUL[kind]
    folder = save_python(tmp_path / "mine", "[1]", load)
    with pytest.raises(ModelRejected, match=reason) as refused:
        importing.register(lab.session, str(folder), sample)
    assert len(str(refused.value).splitlines()) == 1
    assert (lab.registry.versions, lab.runs.runs) == ({}, {})


def test_version_that_ends_its_process_is_not_signed(tmp_path: Path, sample: Path) -> None:
    lab = Lab(tmp_path, ask=model_process.ask, seed=0)
    put(lab, save_python(tmp_path / "mine", "[1]", "os._exit(0)"))
    with pytest.raises(ValidationFailed, match="with exit code 0"):
        importing.sign(lab.session, 1, sample)
    assert len(lab.registry.versions[NAME]) == 1


def test_model_is_never_loaded_in_the_process_that_registers_it(
    tmp_path: Path, sample: Path
) -> None:
    lab = Lab(tmp_path, ask=model_process.ask, seed=0)
    folder = save_python(tmp_path / "mine", "[os.getpid()] * len(model_input)", "pass")
    made = importing.register(lab.session, str(folder), sample)
    document = json.loads((lab.registry.files(made.version) / reference_rows.FILE).read_text())
    assert os.getpid() not in document["predictions"]


# --- sign and release ----------------------------------------------------------------------------


def test_signed_copy_is_a_new_version_of_the_same_run(
    lab: Lab, tmp_path: Path, sample: Path
) -> None:
    lab.runs.start("the script")
    old = put(lab, save(tmp_path / "mine"), "run1")
    before = sorted(path.name for path in lab.registry.files(old).iterdir())
    made = importing.sign(lab.session, old.number, sample)
    check_serves(lab, made)
    assert (made.version.number, made.version.run_id) == (2, "run1")
    assert lab.registry.tags[NAME, 2][SOURCE_TAG] == f"models:/{NAME}/1"
    assert sorted(path.name for path in lab.registry.files(old).iterdir()) == before


def test_sign_of_a_missing_version_is_refused(lab: Lab) -> None:
    with pytest.raises(TrackingRefused, match="not found"):
        importing.sign(lab.session, 7)


def test_released_copy_has_both_signatures(lab: Lab, tmp_path: Path, sample: Path) -> None:
    signed = importing.register(lab.session, str(save_python(tmp_path / "mine", "[1]")), sample)
    assert "loader_module" in signed.code
    made = importing.release(lab.session, signed.version.number)
    check_serves(lab, made)
    files = lab.registry.files(made.version)
    assert signing.is_release_signed(files, lab.settings.release_public_key)
    assert made.version.number == 2
    assert not (lab.registry.files(signed.version) / RELEASE_FILE).exists()


def test_release_of_an_unsigned_or_changed_version_is_refused(
    lab: Lab, tmp_path: Path, sample: Path
) -> None:
    put(lab, save(tmp_path / "mine"))
    with pytest.raises(SignatureInvalid, match=SIGNATURE_FILE):
        importing.release(lab.session, 1)
    made = importing.register(lab.session, str(save_python(tmp_path / "code", "[1]")), sample)
    (lab.registry.files(made.version) / "MLmodel").write_text("changed")
    with pytest.raises(SignatureInvalid):
        importing.release(lab.session, made.version.number)


def test_release_of_what_needs_none_is_refused(lab: Lab, tmp_path: Path, sample: Path) -> None:
    plain = importing.register(lab.session, str(save(tmp_path / "mine")), sample)
    with pytest.raises(DataError, match="holds no code"):
        importing.release(lab.session, plain.version.number)
    code = importing.register(lab.session, str(save_python(tmp_path / "code", "[1]")), sample)
    made = importing.release(lab.session, code.version.number)
    with pytest.raises(DataError, match="is released already"):
        importing.release(lab.session, made.version.number)


def test_release_without_the_key_is_refused(lab: Lab, tmp_path: Path, sample: Path) -> None:
    importing.register(lab.session, str(save_python(tmp_path / "code", "[1]")), sample)
    lab.settings.release_key.unlink()
    with pytest.raises(SettingsError, match=r"release\.key"):
        importing.release(lab.session, 1)
    assert len(lab.registry.versions[NAME]) == 1


def test_default_release_key_is_not_where_training_keeps_its_own() -> None:
    training = Settings.load().training
    assert training.release_key.parent != training.signing_key.parent

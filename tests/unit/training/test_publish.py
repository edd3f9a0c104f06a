"""A signed version is registered, and promoted only when it is not worse."""

import json
import warnings
from dataclasses import replace
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from mlflow.models import Model
from sklearn.metrics import f1_score

from terna.contracts import reference_rows
from terna.contracts.version import RELEASE_FILE, SIGNATURE_FILE, Version
from terna.errors import PhaseMissing, SignatureInvalid, TrackingRefused, TrackingUnreachable
from terna.predictor import model_process
from terna.registry.registry import SERVING, STATUS_TAG
from terna.security import signing
from terna.security.model_formats import find_code
from terna.training import made_up, model_file, publish
from terna.training.families import FAMILIES
from terna.training.publish import PublishResult, describe
from terna.training.tune import TuningResult
from tests.unit.training.lab import NAME, SMALL_FOREST, Lab, customers, three_classes

ROWS = 900
NEVER_YES = replace(SMALL_FOREST, threshold=0.999)
FIRST, SECOND = Version(NAME, 1, ""), Version(NAME, 2, "")


class PublishedModel:
    """A model that was published, and its files in the registry."""

    def __init__(self, folder: Path) -> None:
        self.lab = Lab(folder)
        self.version = self.lab.publish(customers(ROWS)).version
        self.files = self.lab.registry.files(self.version)

    def all_rows(self) -> list[list[Any]]:
        """Return every customer of the table, as a client sends it."""
        tables = (self.lab.workspace.read_table(f"{t}.parquet", "") for t in ("train", "holdout"))
        return [row for t in tables for row in as_sent(t.drop(columns="churn"))]


def as_sent(table: pd.DataFrame) -> list[list[Any]]:
    return list(table.astype(object).where(table.notna(), None).to_numpy().tolist())


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> PublishedModel:
    return PublishedModel(tmp_path_factory.mktemp("published"))


def predict(files: Path, rows: pd.DataFrame) -> list[Any]:
    """Predict with the pyfunc model of a directory."""
    return list(np.asarray(mlflow.pyfunc.load_model(str(files)).predict(rows)).tolist())


def in_production(lab: Lab) -> int | None:
    """Return the number of the version in production."""
    found = lab.registry.production(NAME)
    return found.number if found else None


# --- the directory -------------------------------------------------------------------------------


def test_directory_signature_verifies(published: PublishedModel) -> None:
    signing.verify(published.files, published.lab.settings.signing_public_key)


@pytest.mark.parametrize(
    "name", ["MLmodel", "model.skops", reference_rows.FILE, "input_example.json"]
)
def test_changed_file_raises_signature_invalid(
    published: PublishedModel, tmp_path: Path, name: str
) -> None:
    published.lab.registry.download(published.version, tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes() + b" ")
    with pytest.raises(SignatureInvalid):
        signing.verify(tmp_path, published.lab.settings.signing_public_key)


def test_schema_has_raw_columns_and_label(published: PublishedModel) -> None:
    schema = Model.load(str(published.files)).signature
    kinds = {column["name"]: column["type"] for column in schema.inputs.to_dict()}
    assert list(kinds) == ["calls", "minutes", "plan", "region"]
    assert kinds["minutes"] == "double"
    assert kinds["plan"] == kinds["region"] == "string"
    assert [column["type"] for column in schema.outputs.to_dict()] == ["string"]


def test_input_example_is_one_row_and_no_customers(published: PublishedModel) -> None:
    example = json.loads((published.files / "input_example.json").read_text())
    assert example["columns"] == ["calls", "minutes", "plan", "region"]
    (row,) = example["data"]
    assert row not in published.all_rows()


def test_reference_rows_are_predicted_as_recorded(published: PublishedModel) -> None:
    request, labels = reference_rows.read(published.files)
    rows = request["dataframe_split"]
    assert len(rows["data"]) == len(labels) == made_up.ROWS
    assert set(labels) == {"yes", "no"}
    columns = [np.array(cells, dtype=object) for cells in zip(*rows["data"], strict=True)]
    frame = pd.DataFrame(dict(zip(rows["columns"], columns, strict=True))).astype(
        published.lab.held_out()[0].dtypes.to_dict()
    )
    assert predict(published.files, frame) == labels


def test_reference_rows_are_no_customers(published: PublishedModel) -> None:
    request, _ = reference_rows.read(published.files)
    known = published.all_rows()
    _, minutes = request["dataframe_split"]["columns"][:2]
    assert minutes == "minutes"
    measured = [row for row in request["dataframe_split"]["data"] if row[1] is not None]
    assert len(measured) > made_up.ROWS / 2
    assert not [row for row in measured if row in known]


def test_reference_rows_are_from_the_holdout_where_the_setting_says_so(tmp_path: Path) -> None:
    lab = Lab(tmp_path, reference_rows="holdout")
    request, _ = reference_rows.read(lab.registry.files(lab.publish(customers()).version))
    held_out, _ = lab.held_out()
    rows = request["dataframe_split"]["data"]
    assert len(rows) == 40
    assert all(row in as_sent(held_out) for row in rows)


def test_metadata_and_requirements_are_written(published: PublishedModel) -> None:
    (model_id,) = published.lab.main_run.models
    assert Model.load(str(published.files)).metadata == {
        "model": NAME,
        "run_id": published.version.run_id,
        "model_id": model_id,
    }
    required = (published.files / "requirements.txt").read_text().splitlines()
    assert f"scikit-learn=={installed('scikit-learn')}" in required


def test_no_file_is_a_pickle(published: PublishedModel) -> None:
    assert {path.suffix for path in published.files.rglob("*")}.isdisjoint({".pkl", ".pickle"})
    assert (published.files / "model.skops").exists()


# --- its predictions -----------------------------------------------------------------------------


def unusual(missing: Any) -> pd.DataFrame:
    """Make customers with gaps, and with categories that training never saw."""
    table = customers(60, seed=9).drop(columns="churn").astype({"plan": object, "region": object})
    table["calls"] = table["calls"].astype("int64")
    table.loc[:19, "plan"] = missing
    table.loc[20:39, "plan"] = "satellite"
    table.loc[10:29, "region"] = missing
    table.loc[30:49, "region"] = "the moon"
    table.loc[::2, "minutes"] = np.nan
    return table


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA], ids=["None", "NaN", "NA"])
def test_loaded_model_predicts_gaps_and_new_categories_as_before(
    published: PublishedModel, missing: Any
) -> None:
    rows = unusual(missing)
    expected = model_file.load(published.lab.workspace).predict(
        rows.astype({"plan": "str", "region": "str"})
    )
    assert predict(published.files, rows) == expected.tolist()
    assert set(expected) == {"yes", "no"}


@pytest.mark.parametrize("name", FAMILIES)
def test_family_loaded_from_registry_predicts_as_before(tmp_path: Path, name: str) -> None:
    lab = Lab(tmp_path)
    small = {"n_estimators": 10, "max_iter": 10}
    default = FAMILIES[name].default
    params = {**default, **{k: v for k, v in small.items() if k in default}}
    version = lab.publish(customers(), TuningResult(name, params, 0.4, 0.5)).version
    held_out, _ = lab.held_out()
    expected = model_file.load(lab.workspace).predict(held_out).tolist()
    assert predict(lab.registry.files(version), held_out) == expected


def test_integer_labels_are_long_in_schema(tmp_path: Path) -> None:
    lab, table = Lab(tmp_path), customers()
    table["churn"] = (table["churn"] == "yes").astype(int)
    files = lab.registry.files(lab.publish(table).version)
    outputs = Model.load(str(files)).signature.outputs.to_dict()
    assert [column["type"] for column in outputs] == ["long"]
    assert {type(label) for label in reference_rows.read(files)[1]} == {int}


def test_more_than_two_classes_are_published(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    result = lab.publish(three_classes(), replace(SMALL_FOREST, threshold=None))
    assert result.promoted
    _, labels = reference_rows.read(lab.registry.files(result.version))
    assert set(labels) == {"bronze", "silver", "gold"}


# --- production ----------------------------------------------------------------------------------


def test_first_version_is_promoted_and_run_finished(published: PublishedModel) -> None:
    assert in_production(published.lab) == 1
    assert published.lab.main_run.status == "FINISHED"
    assert published.lab.reporter.said[-1] == "published  churn version 1 is in production"


def test_model_that_nobody_may_promote_here_is_registered_and_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path)

    def refuse(_: Version) -> None:
        raise TrackingRefused("The tracking server does not allow this.")

    monkeypatch.setattr(lab.registry, "promote", refuse)
    result = lab.publish(customers(ROWS))
    assert not result.promoted
    assert in_production(lab) is None
    assert "waits for somebody who may promote it: `terna promote 1" in lab.reporter.said[-1]
    assert "does not allow this" in lab.reporter.said[-2]


def test_worse_model_is_registered_but_not_promoted(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    first = lab.publish(customers())
    worse = lab.publish(customers(), NEVER_YES)
    assert (worse.version.number, worse.promoted) == (2, False)
    assert worse.production == first.version
    assert worse.production_f1 == first.f1 > worse.f1
    assert in_production(lab) == 1
    assert lab.main_run.status == "FINISHED"


def test_equal_model_is_promoted(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    first, again = lab.publish(customers()), lab.publish(customers())
    assert again.promoted
    assert again.f1 == again.production_f1 == first.f1
    assert in_production(lab) == 2


def test_better_model_is_promoted(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.publish(customers(), NEVER_YES)
    better = lab.publish(customers())
    assert better.promoted
    assert better.production_f1 is not None
    assert better.production_f1 < better.f1
    assert in_production(lab) == 2


def test_versions_are_compared_on_same_holdout(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    first = lab.publish(customers())
    later = lab.publish(customers(seed=8))
    rows, actual = lab.held_out()
    by_production = predict(lab.registry.files(first.version), rows)
    assert later.production_f1 == pytest.approx(f1_score(actual, by_production, pos_label="yes"))
    assert later.production_f1 != first.f1


@pytest.mark.parametrize("harm", ["tampered", "unsigned", "other columns", "other classes"])
def test_production_version_that_cannot_be_compared_stays(tmp_path: Path, harm: str) -> None:
    lab, other = Lab(tmp_path), customers()
    if harm == "other columns":
        other = other.rename(columns={"calls": "complaints"})
    if harm == "other classes":
        other["churn"] = other["churn"].map({"yes": "left", "no": "stayed"})
    files = lab.registry.files(lab.publish(other).version)
    if harm == "tampered":
        (files / "MLmodel").write_text((files / "MLmodel").read_text() + "\n")
    if harm == "unsigned":
        (files / SIGNATURE_FILE).unlink()
    result = lab.publish(customers())
    assert (result.version.number, result.promoted) == (2, False)
    assert result.production_f1 is None
    assert in_production(lab) == 1
    assert "version 1 cannot be compared" in lab.reporter.said[-2]
    assert "`terna promote 2 --name churn` if you know better" in lab.reporter.said[-1]


CODE = """
import os, mlflow
open({mark!r}, "w").close()
class Model(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        {load}
    def predict(self, context, model_input, params=None):
        return ["yes"] * len(model_input)
mlflow.models.set_model(Model())
"""


def put_code_into_production(lab: Lab, mark: Path, load: str) -> Path:
    """Promote a signed pyfunc in Python which says that it is loaded, and return its files."""
    script, folder = mark.with_name("code.py"), mark.with_name("code")
    script.write_text(CODE.format(mark=str(mark), load=load))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about type hints
        mlflow.pyfunc.save_model(
            str(folder),
            python_model=str(script),
            metadata={"model": NAME, "run_id": "run0"},
            pip_requirements=[],
        )
    signing.sign(folder, lab.settings.signing_key)
    version = lab.registry.register(NAME, folder, "m-0", "run0")
    lab.registry.promote(version)
    return lab.registry.files(version)


def test_code_in_production_that_nobody_released_is_never_loaded(tmp_path: Path) -> None:
    lab, mark = Lab(tmp_path), tmp_path / "loaded"
    put_code_into_production(lab, mark, "pass")
    mark.unlink(missing_ok=True)  # MLflow runs it when it is saved
    result = lab.publish(customers())
    assert (result.production_f1, result.promoted) == (None, False)
    assert "version 1 cannot be compared: The model can run code" in lab.reporter.said[-2]
    assert not mark.exists()


def test_released_code_in_production_is_compared(tmp_path: Path) -> None:
    private, public = tmp_path / "r.key", tmp_path / "r.pub"
    signing.ensure_signing_keys(private, public)
    lab = Lab(tmp_path, release_key=private, release_public_key=public)
    files = put_code_into_production(lab, tmp_path / "loaded", "pass")
    signing.sign(files, lab.settings.release_key, RELEASE_FILE)
    result = lab.publish(customers())
    assert result.production_f1 is not None
    assert 0 < result.production_f1 < result.f1


def test_version_in_production_that_ends_its_process_stays(tmp_path: Path) -> None:
    lab = Lab(tmp_path, ask=model_process.ask)
    lab.session = replace(lab.session, require_release=False)
    put_code_into_production(lab, tmp_path / "loaded", "os._exit(0)")
    result = lab.publish(customers())
    assert (result.production_f1, in_production(lab)) == (None, 1)
    assert "with exit code 0" in lab.reporter.said[-2]


def test_version_in_production_answers_the_same_in_its_own_process(tmp_path: Path) -> None:
    lab = Lab(tmp_path, ask=model_process.ask)
    first, again = lab.publish(customers()), lab.publish(customers())
    assert again.promoted
    assert again.production_f1 == first.f1


def test_rejected_version_is_compared_with_the_newest_that_serves(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    worse, good = lab.publish(customers(), NEVER_YES), lab.publish(customers())
    rejected = lab.publish(customers(), TuningResult(**vars(SMALL_FOREST)))
    for result, status in ((worse, SERVING), (good, SERVING), (rejected, "rejected: it is slow")):
        lab.registry.tag(result.version, STATUS_TAG, status)
    assert in_production(lab) == rejected.version.number

    result = lab.publish(customers())
    assert (result.production, result.production_f1) == (good.version, good.f1)


def test_rejected_version_is_no_rival_where_nothing_serves(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.registry.tag(lab.publish(customers()).version, STATUS_TAG, "rejected: it is slow")

    result = lab.publish(customers(), NEVER_YES)
    assert (result.production, result.promoted) == (None, True)
    assert in_production(lab) == 2


def test_everything_that_is_published_serves_without_a_release(published: PublishedModel) -> None:
    assert find_code(published.files) == ""


def test_unreachable_tracking_server_registers_nothing(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.fit(customers())
    lab.registry.reachable = False
    with pytest.raises(TrackingUnreachable):
        publish.run(lab.session)
    assert lab.registry.versions == {}
    assert lab.registry.aliases == {}


@pytest.mark.parametrize(
    ("file", "phase"),
    [("job.json", "acquire"), ("model.skops", "evaluate"), ("metrics.json", "evaluate")],
)
def test_missing_file_names_the_phase_to_run_first(tmp_path: Path, file: str, phase: str) -> None:
    lab = Lab(tmp_path)
    lab.fit(customers())
    (lab.workspace.folder / file).unlink()
    with pytest.raises(PhaseMissing, match=f"terna {phase}"):
        publish.run(lab.session)
    assert lab.registry.versions == {}


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (PublishResult(FIRST, 0.8, None, None, True), "churn version 1 is in production"),
        (PublishResult(SECOND, 0.8, FIRST, 0.7, True), "churn version 2 is in production"),
        (
            PublishResult(SECOND, 0.7, FIRST, 0.8, False),
            (
                "churn version 2 is registered, and version 1 stays in production: F1 0.800 on the"
                " hold-out, the new one has 0.700"
            ),
        ),
    ],
)
def test_outcome_is_described_in_a_sentence(result: PublishResult, expected: str) -> None:
    assert describe(result) == expected

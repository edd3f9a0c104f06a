"""Phase 6, publish: sign the model, register it, and promote it unless it is worse.

The signed directory holds the model, its schema, an input example, and reference rows with the
labels that the model gave here, which serving compares with its own before a version is live. None
of these rows is a customer's, unless a setting wants hold-out rows.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import Model
from mlflow.models.signature import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from terna.contracts import reference_rows
from terna.contracts.version import Version
from terna.errors import TernaError, TrackingRefused
from terna.files import in_memory
from terna.security import signing
from terna.settings import Training
from terna.training import made_up, metrics, model_file
from terna.training.job import Job
from terna.training.prepare import Features, model_inputs
from terna.training.session import Session
from terna.training.validation import check_files
from terna.training.workspace import Workspace

COLUMN_TYPES = {"b": DataType.boolean, "f": DataType.double, "i": DataType.long}
"""MLflow's type for each of NumPy's kinds; every other one is a string."""
REQUIREMENTS = ("mlflow-skinny", "numpy", "pandas", "scikit-learn", "skops")
"""What the model needs when it is loaded, pinned to the versions that trained it."""


@dataclass(frozen=True)
class PublishResult:
    """The version that was registered, and whether it was promoted."""

    version: Version
    f1: float
    """On the hold-out."""
    production: Version | None
    """The version that was in production before, unless serving had rejected it."""
    production_f1: float | None
    """On the same hold-out; None where there was no version, or it cannot be compared."""
    promoted: bool


@dataclass(frozen=True)
class Holdout:
    """The hold-out's features, shape (n, features), and its labels, shape (n,)."""

    inputs: pd.DataFrame
    actual: NDArray[Any]

    @classmethod
    def read(cls, workspace: Workspace, job: Job) -> Self:
        """Read it as the model takes it; PhaseMissing when there is none."""
        table = workspace.read_table("holdout.parquet", "acquire")
        inputs = model_inputs(table, Features.read(workspace))
        return cls(inputs, table[job.target].to_numpy())


def run(session: Session) -> PublishResult:
    """Register a signed version, and promote it when the one in production is not better.

    Raises:
        PhaseMissing: an earlier phase has not run.
        TrackingUnreachable, TrackingRefused: nothing is promoted, and no version is half there.
    """
    job = Job.read(session.workspace)
    model = model_file.load(session.workspace)
    f1 = session.workspace.read_document("metrics.json", "evaluate")["f1"]
    holdout = Holdout.read(session.workspace, job)
    with session.reporter.step(f"publishing {session.name}"):
        production = session.registry.serving_version(session.name)
        production_f1 = _production_f1(session, job, holdout, production) if production else None
        version = _register(session, job, model, holdout)
        better = production is None or (production_f1 is not None and f1 >= production_f1)
        promoted = better and _promote(session, version)
        session.runs.finish(job.run_id)
    result = PublishResult(version, f1, production, production_f1, promoted)
    session.reporter.say(f"published  {describe(result)}")
    return result


def describe(result: PublishResult) -> str:
    """Describe the outcome in a sentence."""
    version, before = result.version, result.production
    promote = f"`terna promote {version.number} --name {version.name}`"
    if result.promoted:
        return f"{version} is in production"
    if before is None or (result.production_f1 is not None and result.f1 >= result.production_f1):
        return f"{version} is registered, and waits for somebody who may promote it: {promote}"
    if result.production_f1 is None:
        return (
            f"{version} is registered, and version {before.number} stays in production: it cannot"
            f" be compared. {promote} if you know better"
        )
    return (
        f"{version} is registered, and version {before.number} stays in production: F1"
        f" {result.production_f1:.3f} on the hold-out, the new one has {result.f1:.3f}"
    )


def write_model_directory(
    folder: Path,
    model: BaseEstimator,
    inputs: pd.DataFrame,
    identity: Mapping[str, str],
    seed: int,
    reference: pd.DataFrame | None = None,
) -> None:
    """Write the model directory, complete but for its cryptographic signature.

    Args:
        inputs: training customers as the model takes them, shape (n, features); none is written.
        identity: `model`, `run_id` and `model_id`: what the directory was made for.
        reference: rows that are written with the model's answers; made-up ones if not given.
    """
    asked = made_up.draw_rows(inputs, made_up.ROWS, seed) if reference is None else reference
    labels = model.predict(asked)
    model_id = identity["model_id"]
    mlflow.sklearn.save_model(
        model,
        str(folder),
        mlflow_model=Model(run_id=identity["run_id"], model_id=model_id, model_uuid=model_id),
        signature=model_schema(inputs, labels),
        input_example=made_up.example_row(inputs),
        pip_requirements=[f"{name}=={installed(name)}" for name in REQUIREMENTS],
        skops_trusted_types=list(model_file.TRUSTED_TYPES),
        metadata=dict(identity),
    )
    rows = {"columns": list(asked.columns), "data": _json_values(asked)}
    reference_rows.write(folder, {"dataframe_split": rows}, labels.tolist())


def model_schema(inputs: pd.DataFrame, labels: NDArray[Any]) -> ModelSignature:
    """Describe the raw columns, all of them required, and the label of a row.

    A double or a string may still be null; a long, which was always known in training, may not.
    """
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(COLUMN_TYPES.get(inputs[name].dtype.kind, DataType.string), name)
        for name in inputs.columns
    ]
    label = DataType.string if isinstance(labels[0], str) else DataType.long
    return ModelSignature(Schema(columns), Schema([ColSpec(label)]))


def _register(session: Session, job: Job, model: BaseEstimator, holdout: Holdout) -> Version:
    settings, workspace = session.settings, session.workspace
    table = workspace.read_table("train.parquet", "acquire")
    inputs = model_inputs(table, Features.read(workspace))
    model_id = session.runs.start_model(job.run_id, session.name)
    identity = {"model": session.name, "run_id": job.run_id, "model_id": model_id}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary, "model")
        reference = _holdout_rows(holdout, settings)
        write_model_directory(folder, model, inputs, identity, settings.seed, reference)
        signing.sign(folder, settings.signing_key)
        return session.registry.register(session.name, folder, model_id, job.run_id)


def _promote(session: Session, version: Version) -> bool:
    """Return whether the version is in production now; where nobody may promote here, say so."""
    try:
        session.registry.promote(version)
    except TrackingRefused as error:
        session.reporter.say(f"           {version} is not promoted: {error}")
        return False
    return True


def _holdout_rows(holdout: Holdout, settings: Training) -> pd.DataFrame | None:
    """Return hold-out customers as reference rows, where a setting wants them."""
    if settings.reference_rows != "holdout":
        return None
    inputs = holdout.inputs
    return inputs.sample(min(reference_rows.MOST_ROWS, len(inputs)), random_state=settings.seed)


def _production_f1(
    session: Session, job: Job, holdout: Holdout, production: Version
) -> float | None:
    """Compute F1 of the version in production on this hold-out; None where it cannot be."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary, "model")
        folder.mkdir()
        session.registry.download(production, folder)
        try:
            check_files(folder, session.settings, session.require_release)
            return metrics.f1(job, holdout.actual, _predict(session, production, folder, holdout))
        except TernaError as error:
            reason = str(error)
        except Exception as error:  # its predictions are none of this target's
            reason = type(error).__name__
    session.reporter.say(f"           {production} cannot be compared: {reason}")
    return None


def _predict(session: Session, version: Version, folder: Path, holdout: Holdout) -> NDArray[Any]:
    """Return a version's predictions for the hold-out, shape (n,), from a child process."""
    with in_memory(holdout.inputs.to_parquet()) as table:
        _, predictions = session.ask_model(
            "predict", version=asdict(version), folder=str(folder), table=str(table)
        )
    return np.asarray(json.loads(predictions))


def _json_values(rows: pd.DataFrame) -> list[list[Any]]:
    """Return the cells row by row, missing ones as None."""
    return rows.astype(object).where(rows.notna(), None).to_numpy().tolist()

"""Phase 6, publish: sign the model, register it, and promote it unless it is worse.

The signed directory holds what serving needs to trust it: the model, its signature in MLflow's
sense, an input example, and reference rows with the labels that the model gave here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow.pyfunc
import mlflow.sklearn
import pandas as pd
from mlflow.models import Model
from mlflow.models.signature import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from terna.contracts import reference_rows
from terna.contracts.scoring import Table
from terna.contracts.version import Version
from terna.security import signing
from terna.training import evaluate
from terna.training.job import Job
from terna.training.prepare import Features, inputs
from terna.training.session import Session

KINDS = {"b": DataType.boolean, "f": DataType.double, "i": DataType.long}
"""MLflow's type for each kind of NumPy's; everything else is text."""
REQUIREMENTS = ("mlflow-skinny", "numpy", "pandas", "scikit-learn", "skops")
"""What loads the model again; pinned to what trained it."""


@dataclass(frozen=True)
class Published:
    """What became of the model."""

    version: Version
    f1: float
    production: Version | None
    """The version that was in production before."""
    production_f1: float | None
    """On the same hold-out; None where there was none, or it cannot be asked."""
    promoted: bool


@dataclass(frozen=True)
class Holdout:
    """The customers held out, as the model takes them, and their labels."""

    rows: pd.DataFrame
    actual: NDArray[Any]

    @classmethod
    def of(cls, session: Session, job: Job) -> "Holdout":
        table = session.workspace.read_table("holdout.parquet", "acquire")
        rows = inputs(table, Features.read(session.workspace))
        return cls(rows, table[job.target].to_numpy())


def run(session: Session) -> Published:
    """Register a signed version; promote it when the one in production is not better.

    Raises:
        PhaseMissing: an earlier phase has not run.
        TrackingUnreachable, TrackingRefused: nothing is promoted, and no version is half there.
    """
    job = Job.read(session.workspace)
    model = evaluate.load(session)
    f1 = session.workspace.read_document("metrics.json", "evaluate")["f1"]
    holdout = Holdout.of(session, job)
    with session.reporter.step(f"publishing {session.name}"):
        production = session.registry.production(session.name)
        production_f1 = _ask(session, job, holdout, production) if production else None
        version = _register(session, job, model, holdout.rows)
        promoted = production is None or (production_f1 is not None and f1 >= production_f1)
        if promoted:
            session.registry.promote(version)
        session.runs.finish(job.run_id)
    published = Published(version, f1, production, production_f1, promoted)
    session.reporter.say(f"published  {tell(published)}")
    return published


def tell(published: Published) -> str:
    """The outcome as a sentence."""
    version, before = published.version, published.production
    if published.promoted or before is None:
        return f"{version} is in production"
    if published.production_f1 is None:
        return (
            f"{version} is registered, and version {before.number} stays in production: it cannot"
            f" be compared. `terna promote {version.name} {version.number}` if you know better"
        )
    return (
        f"{version} is registered, and version {before.number} stays in production: F1"
        f" {published.production_f1:.3f} on the hold-out, the new one has {published.f1:.3f}"
    )


def build(
    folder: Path, model: BaseEstimator, rows: pd.DataFrame, identity: Mapping[str, str], seed: int
) -> None:
    """Write the model directory, complete but for its signature file.

    Args:
        rows: hold-out customers as the model takes them, shape (n, features).
        identity: `model`, `run_id` and `model_id`: what the directory was made for.
    """
    examples = rows.sample(min(reference_rows.MOST_ROWS, len(rows)), random_state=seed)
    labels = model.predict(examples)
    model_id = identity["model_id"]
    mlflow.sklearn.save_model(
        model,
        str(folder),
        mlflow_model=Model(run_id=identity["run_id"], model_id=model_id, model_uuid=model_id),
        signature=signature(rows, labels),
        input_example=examples.head(3),
        pip_requirements=[f"{name}=={installed(name)}" for name in REQUIREMENTS],
        skops_trusted_types=list(evaluate.TRUSTED),
        metadata=dict(identity),
    )
    reference_rows.write(
        folder, Table(_json_values(examples), tuple(examples.columns)), labels.tolist()
    )


def signature(rows: pd.DataFrame, labels: NDArray[Any]) -> ModelSignature:
    """The raw columns, all of them required, and a label a row.

    A double or a string may still be null; a long, which was always known in training, may not.
    """
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(KINDS.get(rows[name].dtype.kind, DataType.string), name) for name in rows.columns
    ]
    label = DataType.string if isinstance(labels[0], str) else DataType.long
    return ModelSignature(Schema(columns), Schema([ColSpec(label)]))


def _register(session: Session, job: Job, model: BaseEstimator, rows: pd.DataFrame) -> Version:
    settings = session.settings
    model_id = session.runs.start_model(job.run_id, session.name)
    identity = {"model": session.name, "run_id": job.run_id, "model_id": model_id}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary, "model")
        build(folder, model, rows, identity, settings.seed)
        signing.sign(folder, settings.signing_key)
        return session.registry.register(session.name, folder, model_id, job.run_id)


def _ask(session: Session, job: Job, holdout: Holdout, production: Version) -> float | None:
    """The F1 of the version in production on this hold-out; None where it cannot be asked."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        session.registry.download(production, folder)
        try:
            signing.verify(folder, session.settings.signing_public_key)
            predicted = mlflow.pyfunc.load_model(str(folder)).predict(holdout.rows)
            return evaluate.f1(job, holdout.actual, predicted)
        except Exception as error:  # a model of other columns, classes, keys or libraries
            reason = type(error).__name__
            session.reporter.say(f"           {production} cannot be compared: {reason}")
            return None


def _json_values(rows: pd.DataFrame) -> list[list[Any]]:
    """Missing values as None."""
    return rows.astype(object).where(rows.notna(), None).to_numpy().tolist()

"""Builders for the tests of training: customers, and a session whose tracking is in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from numpy.typing import NDArray

from terna.progress import Advance, Silent
from terna.security import signing
from terna.settings import Training
from terna.training import acquire, evaluate, prepare, publish
from terna.training.job import Job, TrainingRequest
from terna.training.prepare import Features, inputs
from terna.training.publish import Published
from terna.training.session import Session
from terna.training.tune import Tuned
from terna.training.workspace import Workspace
from tests.fakes import MemoryRegistry, MemoryRun, MemoryRuns

SMALL_FOREST = Tuned("random_forest", {"n_estimators": 10, "max_depth": 4}, 0.35, 0.5)
NAME = "churn"


def customers(rows: int = 160, seed: int = 0) -> pd.DataFrame:
    """Two numbers and a text that tell who leaves, and a text that does not; some are missing."""
    chance = np.random.default_rng(seed)
    calls, minutes = chance.poisson(2, rows), chance.normal(180, 50, rows)
    plan = chance.choice(["none", "voice", "roaming"], rows)
    risk = calls - 3 + (minutes - 180) / 40 + 2 * (plan == "roaming") + chance.normal(0, 0.5, rows)
    table = pd.DataFrame(
        {
            "calls": calls,
            "minutes": np.where(chance.random(rows) < 0.1, np.nan, minutes),
            "plan": pd.Series(plan).where(chance.random(rows) > 0.1, None),
            "region": chance.choice(["north", "south"], rows),
        }
    )
    return table.assign(churn=np.where(risk > 0, "yes", "no"))


def three_kinds(rows: int = 180, seed: int = 0) -> pd.DataFrame:
    """Customers of whom one in three each is gold, silver and bronze."""
    table = customers(rows, seed)
    spent = table["minutes"].fillna(180) + 20 * table["calls"]
    return table.assign(churn=pd.qcut(spent, 3, labels=["bronze", "silver", "gold"]).astype(str))


class Notes(Silent):
    """Remembers what was said, and how often each step advanced."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: dict[str, int] = {}

    def say(self, text: str) -> None:
        self.said.append(text)

    @contextmanager
    def step(self, label: str, total: int | None = None) -> Iterator[Advance]:  # noqa: ARG002
        self.steps[label] = 0

        def advance() -> None:
            self.steps[label] += 1

        yield advance


class Lab:
    """One model's training: its files are below `folder`, its tracking server is in memory."""

    def __init__(self, folder: Path, name: str = NAME, **settings: Any) -> None:
        self.folder = folder
        self.runs = MemoryRuns()
        self.registry = MemoryRegistry(folder / "registry")
        self.workspace = Workspace(folder / "training" / name)
        self.notes = Notes()
        keys = {"signing_key": folder / "sign.key", "signing_public_key": folder / "sign.pub"}
        signing.ensure_signing_keys(*keys.values())
        self.settings = Training.model_construct(**{"folds": 2, **keys, **settings})
        self.session = Session(
            name, self.workspace, self.runs, self.registry, self.settings, self.notes
        )

    def request(self, table: pd.DataFrame, **request: Any) -> TrainingRequest:
        """For a table as a Parquet file."""
        path = self.folder / "customers.parquet"
        table.to_parquet(path)
        return TrainingRequest(str(path), **request)

    def acquire(self, table: pd.DataFrame, **request: Any) -> Job:
        return acquire.run(self.session, self.request(table, **request))

    def prepare(self, table: pd.DataFrame, **request: Any) -> Job:
        job = self.acquire(table, **request)
        prepare.run(self.session)
        return job

    def evaluate(
        self, table: pd.DataFrame, tuned: Tuned = SMALL_FOREST, **request: Any
    ) -> dict[str, float]:
        """Every phase up to evaluate, with `tuned` as what tune found."""
        self.prepare(table, **request)
        tuned.write(self.workspace)
        return dict(evaluate.run(self.session))

    def fit(self, table: pd.DataFrame, tuned: Tuned = SMALL_FOREST, **request: Any) -> None:
        """The same without the plots, which take longest: what publish needs."""
        job = self.prepare(table, **request)
        train, (rows, actual) = self.workspace.read_table("train.parquet", ""), self.held_out()
        model = evaluate.fit(tuned, job, Features.read(self.workspace), train, self.settings.seed)
        metrics = {"f1": evaluate.f1(job, actual, model.predict(rows))}
        self.workspace.write_bytes("model.skops", skops.io.dumps(model))
        self.workspace.write_document("metrics.json", metrics)

    def publish(
        self, table: pd.DataFrame, tuned: Tuned = SMALL_FOREST, **request: Any
    ) -> Published:
        self.fit(table, tuned, **request)
        return publish.run(self.session)

    @property
    def main_run(self) -> MemoryRun:
        """The newest run that is no trial."""
        return [run for run in self.runs.runs.values() if run.parent is None][-1]

    def held_out(self) -> tuple[pd.DataFrame, NDArray[Any]]:
        """The hold-out as the model takes it, and its labels."""
        table = self.workspace.read_table("holdout.parquet", "acquire")
        return inputs(table, Features.read(self.workspace)), table["churn"].to_numpy()

    def written(self) -> list[str]:
        """The files in the workspace."""
        return sorted(path.name for path in self.workspace.folder.glob("*"))

"""Tables of customers, and a training session whose tracking server is in memory."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from terna.predictor.model_process import Answer, Ask, Limits
from terna.progress import Advance, Silent
from terna.security import signing
from terna.security.secrets import ensure_table_key
from terna.settings import Training
from terna.training import acquire, evaluate, metrics, model_file, prepare, publish
from terna.training.families import Family
from terna.training.job import Job, TrainingRequest
from terna.training.prepare import Features, model_inputs
from terna.training.publish import PublishResult
from terna.training.session import Session
from terna.training.tune import TuningResult
from terna.training.workspace import Workspace
from tests.fakes import MemoryRegistry, MemoryRun, MemoryRuns

SMALL_PARAMS = {"n_estimators": 10, "max_iter": 10, "max_leaf_nodes": 7}
SMALL_FOREST = TuningResult("random_forest", {"n_estimators": 10, "max_depth": 4}, 0.35, 0.5)
NAME = "churn"


def customers(rows: int = 160, seed: int = 0) -> pd.DataFrame:
    """Make two numbers and a text that tell who leaves, and a text that does not; with gaps."""
    random = np.random.default_rng(seed)
    calls, minutes = random.poisson(2, rows), random.normal(180, 50, rows)
    plan = random.choice(["none", "voice", "roaming"], rows)
    risk = calls - 3 + (minutes - 180) / 40 + 2 * (plan == "roaming") + random.normal(0, 0.5, rows)
    table = pd.DataFrame(
        {
            "calls": calls,
            "minutes": np.where(random.random(rows) < 0.1, np.nan, minutes),
            "plan": pd.Series(plan).where(random.random(rows) > 0.1, None),
            "region": random.choice(["north", "south"], rows),
        }
    )
    return table.assign(churn=np.where(risk > 0, "yes", "no"))


def three_classes(rows: int = 180, seed: int = 0) -> pd.DataFrame:
    """Make customers of whom a third each is gold, silver and bronze."""
    table = customers(rows, seed)
    spent = table["minutes"].fillna(180) + 20 * table["calls"]
    return table.assign(churn=pd.qcut(spent, 3, labels=["bronze", "silver", "gold"]).astype(str))


def fit_family(family: Family, seed: int = 0, classes: int = 2) -> BaseEstimator:
    """Fit a small model of a family on customers of two or three classes."""
    table = acquire.clean(customers() if classes == 2 else three_classes(), "churn")
    labels = tuple(sorted(table["churn"].unique()))
    job = Job("run", "table", "churn", labels, "yes" if classes == 2 else None, "0.25")
    small = {name: value for name, value in SMALL_PARAMS.items() if name in family.default}
    threshold = 0.4 if classes == 2 else None
    best = TuningResult(family.name, {**family.default, **small}, threshold, 0)
    features = prepare.choose_features(table.drop(columns="churn"))
    return evaluate.fit(best, job, features, table, seed)


def open_workspace(folder: Path, key: Path | None = None) -> Workspace:
    """Open a workspace, and make the key of its tables: beside it, unless another is named."""
    key = key or folder.with_name(f"{folder.name}.key")
    ensure_table_key(key)
    return Workspace(folder, key)


class Recorder(Silent):
    """A reporter that records what was said, and how often each step advanced."""

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


def ask_here(function: str, arguments: Mapping[str, Any], _limits: Limits) -> Answer:
    """Ask a model in this process, which is faster than in a child."""
    module, _, name = function.partition(":")
    answer: Answer = getattr(import_module(module), name)(**arguments)
    return answer


class Lab:
    """One model's training: its files are below `folder`, its tracking server is in memory."""

    def __init__(
        self, folder: Path, name: str = NAME, ask: Ask = ask_here, **settings: Any
    ) -> None:
        self.folder = folder
        self.runs = MemoryRuns()
        self.registry = MemoryRegistry(folder / "registry")
        self.workspace = open_workspace(folder / "training" / name, folder / "table.key")
        self.reporter = Recorder()
        keys = {"signing_key": folder / "sign.key", "signing_public_key": folder / "sign.pub"}
        signing.ensure_signing_keys(*keys.values())
        self.settings = Training.model_construct(**{"folds": 2, **keys, **settings})
        self.session = Session(
            name,
            self.workspace,
            self.runs,
            self.registry,
            self.settings,
            self.reporter,
            ask=ask,
        )

    def request(self, table: pd.DataFrame, **request: Any) -> TrainingRequest:
        """Write the table as a Parquet file, and ask for training on it."""
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
        self, table: pd.DataFrame, best: TuningResult = SMALL_FOREST, **request: Any
    ) -> dict[str, float]:
        """Run every phase up to evaluate, with `best` as what tune found."""
        self.prepare(table, **request)
        best.write(self.workspace)
        return dict(evaluate.run(self.session))

    def fit(self, table: pd.DataFrame, best: TuningResult = SMALL_FOREST, **request: Any) -> None:
        """Run what publish needs: the same without the plots, which take longest."""
        job = self.prepare(table, **request)
        train, (inputs, actual) = self.workspace.read_table("train.parquet", ""), self.held_out()
        model = evaluate.fit(best, job, Features.read(self.workspace), train, self.settings.seed)
        f1 = metrics.f1(job, actual, model.predict(inputs))
        model_file.save(self.workspace, model)
        self.workspace.write_document("metrics.json", {"f1": f1})

    def publish(
        self, table: pd.DataFrame, best: TuningResult = SMALL_FOREST, **request: Any
    ) -> PublishResult:
        self.fit(table, best, **request)
        return publish.run(self.session)

    @property
    def main_run(self) -> MemoryRun:
        """The newest run that is not a trial."""
        return [run for run in self.runs.runs.values() if run.parent is None][-1]

    def held_out(self) -> tuple[pd.DataFrame, NDArray[Any]]:
        """Return the hold-out as the model takes it, and its labels."""
        table = self.workspace.read_table("holdout.parquet", "acquire")
        return model_inputs(table, Features.read(self.workspace)), table["churn"].to_numpy()

    def written(self) -> list[str]:
        """List the files in the workspace."""
        return sorted(path.name for path in self.workspace.folder.glob("*"))

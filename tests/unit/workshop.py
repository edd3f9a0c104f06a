"""Real signed model directories, and server 2 around a registry in memory."""

import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import mlflow.pyfunc
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import FixedThresholdClassifier

from terna.contracts.scoring import Rows, ScoringRequest
from terna.contracts.version import Version
from terna.predictor.predictor import CompiledModel, Prediction, Predictor
from terna.predictor.pyfunc_model import PyfuncModel
from terna.registry.registry import STATUS_TAG, Registry
from terna.security import signing
from terna.serving.agent.reconciler import Reconciler
from terna.serving.agent.validator import Validator
from terna.serving.cache.compiled_cache import CompiledCache
from terna.serving.cache.model_cache import ModelCache
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.loader import Loader
from terna.training import publish
from terna.training.prepare import Features, build_pipeline, model_inputs
from tests.fakes import MemoryRegistry

NAME = "churn"
COLUMNS = ("minutes", "plan", "calls", "vip")
Change = Callable[[Path], object]
Model = TypeVar("Model", bound=Predictor)


@dataclass(frozen=True)
class Workshop:
    """Makes signed model directories of a small forest, which is fitted once a session."""

    folder: Path
    customers: pd.DataFrame
    """Raw features, shape (160, 4), with missing values: more rows than the reference holds."""

    @property
    def public_key(self) -> Path:
        return self.folder / "signing.pub"

    def rows(self) -> list[list[Any]]:
        """Return the customers as a client sends them, in the schema's order."""
        table = self.customers.astype(object)
        return table.where(table.notna(), None).to_numpy().tolist()

    def make(
        self, place: Path, run_id: str = "run1", name: str = NAME, change: Change | None = None
    ) -> Path:
        """Make a signed directory in `place`; `change` edits it before it is signed."""
        shutil.copytree(self.folder / "model", place)
        about = place / "MLmodel"
        text = about.read_text().replace("model: churn", f"model: {name}")
        about.write_text(text.replace("run_id: run1", f"run_id: {run_id}"))
        if change:
            change(place)
        signing.sign(place, self.folder / "signing.key")
        return place

    def load(
        self, place: Path, change: Change | None = None, compiled: CompiledModel | None = None
    ) -> Predictor:
        """Load version 1 of the directory that `make` puts into `place`."""
        return self.load_as(Predictor, place, change, compiled)

    def load_as(
        self,
        kind: type[Model],
        place: Path,
        change: Change | None = None,
        compiled: CompiledModel | None = None,
        number: int = 1,
    ) -> Model:
        version = Version(NAME, number, "memory:/m-1", f"run{number}")
        self.make(place, version.run_id, change=change)
        return kind(version, lambda: PyfuncModel.load(version, place), compiled)

    def compiled(self) -> "Direct":
        model = mlflow.pyfunc.load_model(str(self.folder / "model"))
        return Direct(model.get_raw_model())


class Direct:
    """A fake compiled model: it asks the forest without MLflow, and counts the rows it takes."""

    KINDS = ((float, int, type(None)), (str, float, type(None)), (int,), (bool,))
    DTYPES = ("float64", "str", "int64", "bool")
    names = COLUMNS

    def __init__(self, model: Any) -> None:
        self._model = model
        self.rows: list[int] = []

    def predict_rows(self, rows: Rows) -> list[Any] | None:
        if not all(self._is_strictly_typed(row) for row in rows):
            return None
        self.rows.append(len(rows))
        columns = zip(COLUMNS, zip(*rows, strict=True), self.DTYPES, strict=True)
        return self._predict(pd.DataFrame({n: pd.Series(c, dtype=d) for n, c, d in columns}))

    def _is_strictly_typed(self, row: Sequence[Any]) -> bool:
        typed = all(type(cell) in kind for cell, kind in zip(row, self.KINDS, strict=True))
        return typed and not any(abs(c) >= 2**53 for c in row if isinstance(c, (float, int)))

    def _predict(self, frame: pd.DataFrame) -> list[Any]:
        return self._model.predict(frame).tolist()  # type: ignore[no-any-return]


def opened(folder: Path) -> Workshop:
    """Open a workshop in an empty folder."""
    signing.ensure_signing_keys(folder / "signing.key", folder / "signing.pub")
    customers, labels = _customers()
    features = Features(("minutes", "calls", "vip"), ("plan",), COLUMNS)
    forest = RandomForestClassifier(5, max_depth=6, random_state=0)
    model = FixedThresholdClassifier(
        build_pipeline(features, forest, scaled=False),
        threshold=0.4,
        pos_label="yes",
        response_method="predict_proba",
    ).fit(model_inputs(customers, features), labels)
    identity = {"model": NAME, "run_id": "run1", "model_id": "m-1"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about pandas to come
        publish.write_model_directory(
            folder / "model", model, model_inputs(customers, features), identity, seed=0
        )
    return Workshop(folder, customers)


def _customers(count: int = 160) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "minutes": random.normal(100, 30, count),
            "plan": random.choice(["basic", "extra"], count),
            "calls": random.integers(0, 9, count),
            "vip": random.random(count) < 0.3,
        }
    )
    leaves = table["minutes"] + 10 * table["calls"] + 40 * table["vip"] > 150
    table.loc[::7, "minutes"] = np.nan
    table.loc[::11, "plan"] = None
    return table.astype({"plan": "str"}), np.where(leaves, "yes", "no")


class CountingRegistry(MemoryRegistry):
    """Counts the downloads."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.downloads: list[int] = []

    def download(self, version: Version, folder: Path) -> None:
        self.downloads.append(version.number)
        super().download(version, folder)


class Server2:
    """A registry in memory, its reconciler, and one worker; no thread unless started."""

    def __init__(self, root: Path, workshop: Workshop) -> None:
        self._root, self.workshop = root, workshop
        self.registry = CountingRegistry(root / "registry")
        self.folder = root / "serving"
        self.compiled_cache = CompiledCache(workshop.folder / "signing.key")
        self.restart()

    def restart(self, registry: Registry | None = None) -> None:
        """Restart all processes on the same machine."""
        self.models = self.worker()
        validator = Validator(self.compiled_cache, max_slowdown=10)
        self.reconciler = Reconciler(
            NAME, registry or self.registry, self.models, validator.validate
        )
        self.restart_worker()

    def restart_worker(self) -> None:
        self.active = ActiveModel()
        self.loader = Loader(NAME, self.worker(), self.compiled_cache, self.active)

    def poll_once(self) -> None:
        """Do what happens every few seconds: the reconciler polls, then the worker."""
        try:
            self.reconciler.poll_once()
        finally:
            self.loader.poll_once()

    def worker(self) -> ModelCache:
        """Return the model cache as another worker process has it."""
        return ModelCache(self.folder, self.workshop.public_key)

    def register(self, run_id: str = "", name: str = NAME, change: Change | None = None) -> Version:
        """Register a signed version of this server's model; its files name the model `name`."""
        number = len(self.registry.versions.get(NAME, [])) + 1
        run_id = run_id or f"run{number}"
        made = self.workshop.make(self._root / f"made{number}-{run_id}", run_id, name, change)
        return self.registry.register(NAME, made, f"m-{run_id}", run_id)

    def promote(self, run_id: str = "", name: str = NAME, change: Change | None = None) -> Version:
        version = self.register(run_id, name, change)
        self.registry.promote(version)
        return version

    def promote_tampered(self) -> Version:
        version = self.promote()
        tamper(self.registry.files(version))
        return version

    def tag(self, version: Version) -> str:
        """Return the status that serving wrote to a version."""
        return self.registry.tags.get((version.name, version.number), {}).get(STATUS_TAG, "")

    def kept(self) -> set[int]:
        """Return the numbers of the versions in the model cache."""
        models = (f for f in self.folder.glob("*/*") if f.is_dir())
        return {int(f.name.partition("-")[0]) for f in models if not f.name.startswith(".")}

    def unfinished(self) -> list[Path]:
        return [f for f in self.folder.rglob("*") if ".part" in f.name]


class Waiting(Predictor):
    """Predicts when it is told to."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.asked, self.go_on = Event(), Event()

    def predict(self, request: ScoringRequest) -> Prediction:
        self.asked.set()
        assert self.go_on.wait(10)
        return super().predict(request)


class NoLoader:
    """For servers whose active model is swapped by hand."""

    def poll_once(self) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


def tamper(model: Path) -> None:
    with (model / "model.skops").open("ab") as file:
        file.write(b"!")

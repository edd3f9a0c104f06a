"""Real signed model directories, and server 2 around a registry in memory."""

import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import FixedThresholdClassifier

from terna.contracts import reference_rows
from terna.contracts.scoring import Rows, ScoringRequest
from terna.contracts.version import Version
from terna.predictor.compiled_predictor import CompiledModel, CompiledPredictor, Prediction
from terna.predictor.predictor import Predictor
from terna.predictor.pyfunc_model import PyfuncModel
from terna.registry.registry import STATUS_TAG, Registry
from terna.security import signing
from terna.serving.agent import validation
from terna.serving.agent.child import Job, Report
from terna.serving.agent.reconciler import Reconciler
from terna.serving.agent.validator import Validate, Validator
from terna.serving.cache.compiled_cache import CompiledCache
from terna.serving.cache.model_cache import ModelCache
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.endpoints.deployment import Deployment
from terna.serving.inference_pool.calls import Call
from terna.serving.inference_pool.handler import handle
from terna.serving.loader import Loader
from terna.settings import Serving
from terna.training import publish
from terna.training.prepare import build_pipeline, choose_features, model_inputs
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

    @property
    def version(self) -> Version:
        """The version that a directory of `make` is of."""
        return Version(NAME, 1, "memory:/m-1", "run1")

    @property
    def secret(self) -> Path:
        """What the model cache is sealed with."""
        return self.folder / "signing.key"

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

    def make_of_code(self, place: Path, code: str, run_id: str = "run1") -> tuple[Version, Path]:
        """Make a signed directory of a PythonModel, with one reference row that it answers by 1."""
        place.parent.mkdir(parents=True, exist_ok=True)
        file = place.with_suffix(".py")
        file.write_text(code)
        schema = Schema([ColSpec(DataType.double, "x")])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's own, about type hints
            mlflow.pyfunc.save_model(
                str(place),
                python_model=str(file),
                signature=ModelSignature(schema),
                metadata={"model": NAME, "run_id": run_id},
                pip_requirements=[],
            )
        reference_rows.write(place, {"dataframe_records": [{"x": 1.5}]}, [1])
        signing.sign(place, self.folder / "signing.key")
        return Version(NAME, 1, "memory:/m-1", run_id), place

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

    def deploy(
        self, place: Path, change: Change | None = None, compiled: CompiledModel | None = None
    ) -> Deployment:
        """Deploy version 1 of the directory that `make` puts into `place`, in this process."""
        return deployed(self.load(place, change, compiled), compiled)

    def compiled(self) -> "Direct":
        model = mlflow.pyfunc.load_model(str(self.folder / "model"))
        return Direct(model.get_raw_model())


class InProcessPool:
    """A fake inference pool: the calls are handled in this process."""

    is_ready = True

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def wait_until_loaded(self) -> None: ...

    def call(self, call: Call, deadline: float) -> Prediction:
        assert deadline > time.monotonic()
        return handle(self._predictor, call)

    def close(self) -> None: ...


def deployed(predictor: Predictor, compiled: CompiledModel | None = None) -> Deployment:
    """Deploy a predictor in this process."""
    fast = CompiledPredictor(compiled) if compiled else None
    return Deployment(predictor.version, InProcessPool(predictor), fast)


class Direct:
    """A fake compiled model: it asks the forest without MLflow, and counts the rows it takes."""

    KINDS = ((float, int, type(None)), (str, float, type(None)), (int,), (bool,))
    DTYPES = ("float64", "str", "int64", "bool")
    names = COLUMNS
    classes = ("no", "yes")

    def __init__(self, model: Any) -> None:
        self._model = model
        self.rows: list[int] = []

    def predict_rows(self, rows: Rows) -> list[Any] | None:
        if not all(self._is_strictly_typed(row) for row in rows):
            return None
        self.rows.append(len(rows))
        columns = zip(COLUMNS, zip(*rows, strict=True), self.DTYPES, strict=True)
        return self._predict(pd.DataFrame({n: pd.Series(c, dtype=d) for n, c, d in columns}))

    def predict_proba_rows(self, _rows: Rows) -> list[list[float]] | None:
        return None

    def _is_strictly_typed(self, row: Sequence[Any]) -> bool:
        typed = all(type(cell) in kind for cell, kind in zip(row, self.KINDS, strict=True))
        return typed and not any(abs(c) >= 2**53 for c in row if isinstance(c, (float, int)))

    def _predict(self, frame: pd.DataFrame) -> list[Any]:
        return self._model.predict(frame).tolist()  # type: ignore[no-any-return]


def opened(folder: Path) -> Workshop:
    """Open a workshop in an empty folder."""
    signing.ensure_signing_keys(folder / "signing.key", folder / "signing.pub")
    customers, labels = _customers()
    features = choose_features(customers)
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

    def list_files(self, version: Version, most: int) -> dict[str, int]:
        self.downloads.append(version.number)
        return super().list_files(version, most)


def validate_here(job: Job, _seconds: float, _memory_bytes: int) -> Report:
    """Validate in this process, which is faster than in a child."""
    return validation.validate(job)


class Server2:
    """A registry in memory, its reconciler, and one worker; no thread unless started."""

    def __init__(self, root: Path, workshop: Workshop) -> None:
        self._root, self.workshop = root, workshop
        self.registry = CountingRegistry(root / "registry")
        self.folder = root / "serving"
        self.new_pool: Callable[[Predictor], InProcessPool] = InProcessPool
        self.compiled_cache = CompiledCache(workshop.secret)
        self.restart()

    def restart(self, registry: Registry | None = None) -> None:
        """Restart all processes on the same machine."""
        self.models = self.worker()
        self.restart_agent(registry)
        self.restart_worker()

    def restart_agent(
        self,
        registry: Registry | None = None,
        validate: Validate = validate_here,
        **settings: Any,
    ) -> None:
        """Restart the agent alone, with other settings of serving."""
        serving = Serving(**settings)
        self.validator = Validator(self.models, self.compiled_cache, serving, validate)
        self.reconciler = Reconciler(
            NAME, registry or self.registry, self.models, self.validator.validate
        )

    def restart_worker(self) -> None:
        self.active = ActiveModel()
        self.loader = self.new_loader(self.active)

    def poll_once(self) -> None:
        """Do what happens every few seconds: the reconciler polls, then the worker."""
        try:
            self.reconciler.poll_once()
        finally:
            self.loader.poll_once()

    def new_loader(self, active: ActiveModel) -> Loader:
        """Return the loader of another worker."""
        return Loader(NAME, self.worker(), self.compiled_cache, active, self._new_pool)

    def _new_pool(self, version: Version) -> InProcessPool:
        def load() -> PyfuncModel:
            with self.worker().verified(version) as folder:
                return PyfuncModel.load(version, folder)

        return self.new_pool(Predictor(version, load))

    def worker(self) -> ModelCache:
        """Return the model cache as another worker process has it."""
        return ModelCache(self.folder, self.workshop.public_key, self.workshop.secret)

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

"""Where systems stand: a tracking server, and models that terna's own training put into it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import pyfunc
from sklearn.datasets import make_classification

from terna.contracts.version import Version
from terna.local.servers import LOCAL, LocalServers, ensure_local_secrets, local_settings
from terna.ports import free_port
from terna.progress import Reporter, Silent
from terna.security.ca import Service, ensure_certificates
from terna.settings import Settings
from terna.training import acquire, evaluate, prepare, publish
from terna.training.families import FOREST
from terna.training.job import CHURN_REQUEST, TrainingRequest
from terna.training.prepare import Features, model_inputs
from terna.training.session import Session
from terna.training.tune import TuningResult

PARAMS = {**FOREST.default, "n_estimators": 200}
THRESHOLD = 0.4
"""Near what `tune` finds for this forest, and not the library's 0.5."""
WINNER = TuningResult(FOREST.name, PARAMS, THRESHOLD, f1=0)
ROWS_OF_WIDE = 1000
DIFFERENT = 200
"""How many rows differ from each other in the requests of one row."""
BEHIND_PROXY = (Service("serving", (*LOCAL, "serving")), Service("erp", LOCAL, is_client=True))
"""nginx verifies serving under its name in the replica."""


@dataclass(frozen=True)
class Model:
    """A registered version, and customers that it never saw."""

    name: str
    number: int
    folder: Path
    """A copy of the signed directory."""
    columns: list[str]
    customers: list[list[Any]]
    labels: list[Any]
    """What the model itself says of these customers, here."""

    def body(self, customers: list[list[Any]]) -> bytes:
        """Return a request in the one form of MLflow's protocol that takes text beside numbers."""
        split = {"columns": self.columns, "data": customers}
        return json.dumps({"dataframe_split": split}, separators=(",", ":")).encode()

    def bodies(self, rows: int) -> Path:
        """Write a file of requests of so many rows, a line each; small ones differ."""
        path = self.folder.with_name(f"{self.folder.name}-{rows}.jsonl")
        if not path.exists():
            customers = cycle(self.customers)
            requests = (list(islice(customers, rows)) for _ in range(max(1, DIFFERENT // rows)))
            path.write_bytes(b"".join(self.body(request) + b"\n" for request in requests))
        return path


@dataclass(frozen=True)
class Stage:
    """A folder with everything generated, and the servers' settings in it."""

    root: Path
    settings: Settings
    reporter: Reporter

    def churn(self) -> Model:
        """Train a forest on the main job's 12 columns."""
        return self.publish("bench_churn", CHURN_REQUEST)

    def wide(self, columns: int) -> Model:
        """Train a forest on so many columns of random numbers, some of which tell something."""
        path = self.root / f"wide-{columns}.parquet"
        features, target = make_classification(
            ROWS_OF_WIDE, columns, n_informative=10, random_state=0
        )
        names = [f"column_{number}" for number in range(columns)]
        table = pd.DataFrame(features.round(3), columns=names).assign(target=target)
        table.to_parquet(path)
        return self.publish(f"bench_wide_{columns}", TrainingRequest(str(path), target="target"))

    def publish(self, name: str, request: TrainingRequest, winner: TuningResult = WINNER) -> Model:
        """Train as `terna train` does, but for the search: the winner is given."""
        session = Session.open(name, self.settings, Silent())
        with self.reporter.step(f"training {name}"):
            acquire.run(session, request)
            features = prepare.run(session)
            winner.write(session.workspace)
            evaluate.run(session)
            return self._fetched(session, features, publish.run(session).version)

    def _fetched(self, session: Session, features: Features, version: Version) -> Model:
        folder = self.root / f"models/{version.name}-{version.number}"
        folder.mkdir(parents=True)
        session.registry.download(version, folder)
        holdout = model_inputs(session.workspace.read_table("holdout.parquet", "acquire"), features)
        return Model(
            version.name,
            version.number,
            folder,
            list(features.order),
            holdout.astype(object).to_numpy().tolist(),
            pyfunc.load_model(str(folder)).predict(holdout).tolist(),
        )


@contextmanager
def opened(root: Path, reporter: Reporter) -> Iterator[Stage]:
    """Start a tracking server with keys and certificates below an empty folder.

    Its port is a free one: the default one may be that of a platform on this machine.
    """
    defaults = Settings.load()
    tracking = defaults.tracking.model_copy(update={"port": free_port()})
    settings = local_settings(root, replace(defaults, tracking=tracking))
    ensure_certificates(root / "certs", root / "secrets", BEHIND_PROXY)
    ensure_local_secrets(settings, root)
    replica = LocalServers(root, settings, reporter)
    try:
        replica.start("tracking")
        replica.wait("tracking")
        yield Stage(root, settings, reporter)
    finally:
        replica.close()

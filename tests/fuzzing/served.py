"""The serving server as a process, with a model that it compiles or one that it cannot."""

import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from sklearn.base import BaseEstimator
from sklearn.neighbors import KNeighborsClassifier

from terna.local.servers import ensure_local_secrets, local_settings
from terna.predictor.compiled_predictor import COMPILED, PYFUNC
from terna.security import signing
from terna.serving.agent import agent
from terna.settings import Erp, Settings
from tests.clients import client_of
from tests.fakes import MemoryRegistry
from tests.fuzzing.sent import INVOCATIONS, NAME, PLANTED, Sent
from tests.integration.differential.models import customers
from tests.ports import settings_on_free_ports
from tests.running import running

LARGEST = 60_000
"""Bytes of a body: less than what some requests hold."""
ESTIMATORS: Mapping[str, BaseEstimator | None] = {
    COMPILED: None,
    PYFUNC: KNeighborsClassifier(algorithm="brute"),
}
"""Of the model that each backend answers; None for a forest."""
GOOD = {"dataframe_records": [{"minutes": 99.5, "plan": "basic", "calls": 2, "vip": False}]}


@dataclass(frozen=True)
class Served:
    """A running server and its log."""

    backend: str
    """`compiled` or `pyfunc`."""
    url: str
    erp: Erp
    log: Path
    client: httpx.Client

    def ask(self, sent: Sent) -> httpx.Response:
        headers = [(name.encode(), value.encode()) for name, value in sent.headers.items() if value]
        return self.client.request(
            sent.method, self.url + sent.path, content=sent.body, headers=headers
        )

    def check(self) -> None:
        """Fail unless its own backend answers, and its log holds nothing planted."""
        answer = self.client.post(self.url + INVOCATIONS, json=GOOD)
        assert answer.json()["predictions"] in (["yes"], ["no"])
        assert answer.headers["x-model-backend"] == self.backend
        said = self.log.read_text()
        assert "Traceback" not in said
        assert not [planted for planted in PLANTED if planted in said]


@contextmanager
def serving(root: Path, backend: str) -> Iterator[Served]:
    """Start a server with a model in its cache, which this backend answers; without tracking."""
    settings = _settings(root)
    ensure_local_secrets(settings, root)
    _bring(root, settings, ESTIMATORS[backend])
    url = settings.erp.endpoint.removesuffix(INVOCATIONS)
    with (
        running("serving", root, settings),
        client_of(settings.erp, timeout=60, trust_env=False) as client,
    ):
        _wait_until_ready(client, url)
        yield Served(backend, url, settings.erp, root / ".terna/logs/serving.log", client)


def _wait_until_ready(client: httpx.Client, url: str) -> None:
    """Return when a child process has loaded the model for what only pyfunc answers."""
    end = time.monotonic() + 120
    while client.get(f"{url}/v2/health/ready").status_code != 200:
        assert time.monotonic() < end
        time.sleep(0.2)


def _settings(root: Path) -> Settings:
    settings = local_settings(root, settings_on_free_ports(), NAME)
    return replace(
        settings, serving=settings.serving.model_copy(update={"max_body_bytes": LARGEST})
    )


def _bring(root: Path, settings: Settings, estimator: BaseEstimator | None) -> None:
    """Sign a version, and have it validated and cached as if it came from the registry."""
    folder = root / "model"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own
        customers.published(folder, estimator)
        signing.sign(folder, settings.training.signing_key)
        registry = MemoryRegistry(root / "registry")
        registry.promote(registry.register(NAME, folder, "m-1", "run1"))
        agent.build(settings, registry).poll_once()

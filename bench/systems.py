"""The systems that are compared, each started as its users start it, with one worker."""

import os
import ssl
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from bench.peers import venv
from bench.reverse_proxy import ReverseProxy, substitutions
from bench.stage import Model, Stage
from bench.wrk import Load
from terna.erp.connection import Connection, authorization, tls_context
from terna.erp.from_settings import connection_of
from terna.errors import TernaError
from terna.ports import free_port
from terna.processes import Process, terna_command
from terna.settings import Settings

CHECKED = 200
"""Rows whose labels every system has to agree on."""
JSON = {"content-type": "application/json"}
PATIENCE = 30
"""Seconds for one answer outside the measurements."""


@dataclass(frozen=True)
class System:
    """One system that answers."""

    name: str
    model: Model
    process: Process
    port: int
    """Where the server itself listens."""
    url: str
    """Where the load goes."""
    connection: Connection | None = None
    """With which certificates and API key it is asked; None for plain HTTP."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of a request in JSON."""
        return JSON | self._authorization()

    def load(self, rows: int = 1, connections: int = 1) -> Load:
        """Return what wrk sends to this system."""
        return Load(self.url, self.model.bodies(rows), connections, self.headers, self._trust())

    def client(self) -> httpx.Client:
        """Return a client that trusts this system."""
        return httpx.Client(verify=self._trust(), auth=self._authorize, timeout=PATIENCE)

    def ask(self, customers: list[list[Any]]) -> list[Any]:
        """Return their labels.

        Raises:
            TernaError: no answer, or none with labels.
        """
        body = self.model.body(customers)
        try:
            with self.client() as client:
                response = client.post(self.url, content=body, headers=JSON)
            return list(response.raise_for_status().json()["predictions"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise TernaError(f"{self.name} gives no labels: {error}") from error

    def check(self) -> None:
        """Check the labels; raise `TernaError` where they are other than the model's."""
        answered = self.ask(self.model.customers[:CHECKED])
        if answered != self.model.labels[:CHECKED]:
            raise TernaError(f"{self.name} labels the hold-out otherwise than the model does.")

    def _trust(self) -> ssl.SSLContext | bool:
        return tls_context(self.connection) if self.connection else False

    def _authorization(self) -> dict[str, str]:
        return authorization(self.connection) if self.connection else {}

    def _authorize(self, request: httpx.Request) -> httpx.Request:
        request.headers.update(self._authorization())
        return request

    def wait(self) -> None:
        """Return when it answers."""
        self.process.wait_until(self.answers)

    def answers(self) -> bool:
        """Return whether it answers one row."""
        try:
            return bool(self.ask(self.model.customers[:1]))
        except TernaError:
            return False


@dataclass(frozen=True)
class BehindProxy(System):
    """A system with nginx in front."""

    proxy: ReverseProxy = field(kw_only=True)


@contextmanager
def serving(
    stage: Stage, model: Model, label: str, workers: int = 1, compiled: bool = True
) -> Iterator[System]:
    """`terna serve` without nginx, not waited for; `label` names its model cache and its log."""
    port = free_port()
    settings = _serving_settings(stage, model, label, port, workers, compiled)
    url = f"https://localhost:{port}/invocations"
    with _running(
        stage, "serving", label, settings.environment(), terna_command("serve")
    ) as process:
        yield System(
            "terna" if compiled else "pyfunc",
            model,
            process,
            port,
            url,
            connection_of(stage.settings.erp),
        )


@contextmanager
def terna(
    stage: Stage, model: Model, label: str = "terna", workers: int = 1
) -> Iterator[BehindProxy]:
    """Run serving behind nginx, TLS on both hops, with everything on."""
    with (
        serving(stage, model, label, workers) as server,
        _behind_proxy(stage, label, server) as system,
    ):
        yield system


@contextmanager
def pyfunc(stage: Stage, model: Model) -> Iterator[BehindProxy]:
    """Run the same with the model as MLflow loads it, as those are served that do not compile."""
    with (
        serving(stage, model, "pyfunc", compiled=False) as server,
        _behind_proxy(stage, "pyfunc", server) as system,
    ):
        yield system


@contextmanager
def echo(stage: Stage, model: Model) -> Iterator[BehindProxy]:
    """Run a constant answer on the server that serving runs on, behind the same nginx."""
    port = free_port()
    command = [sys.executable, "-m", "bench.peers.echo"]
    environment = _serving_settings(stage, model, "echo", port).environment()
    url = f"https://localhost:{port}/invocations"
    with _running(stage, "echo", "echo", environment, command) as process:
        server = System("echo", model, process, port, url, connection_of(stage.settings.erp))
        with _behind_proxy(stage, "echo", server) as system:
            yield system


@contextmanager
def mlflow(stage: Stage, model: Model) -> Iterator[System]:
    """`mlflow models serve`, without TLS."""
    port, scripts = free_port(), Path(sys.executable).parent
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    options = ["--model-uri", str(model.folder), "--host", "127.0.0.1", "--port", str(port)]
    environment = {"PATH": f"{scripts}:{os.environ['PATH']}"}  # it runs `uvicorn` by name
    with _running(stage, "mlflow", "mlflow", environment, command + options) as process:
        yield _awaited(System("mlflow", model, process, port, _plain(port)))


@contextmanager
def bentoml(stage: Stage, model: Model) -> Iterator[System]:
    """BentoML around the same forest in ONNX, without TLS, in an environment of its own."""
    port, python = free_port(), venv.made(stage.reporter)
    forest = venv.converted(python, model.folder)
    command = [str(python.with_name("bentoml")), "serve", "onnx_service:Forest"]
    options = ["--working-dir", str(venv.PEERS), "--host", "127.0.0.1", "--port", str(port)]
    environment = {
        "TERNA_BENCH_FOREST": str(forest),
        "BENTOML_HOME": str(stage.root / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    with _running(stage, "bentoml", "bentoml", environment, command + options) as process:
        yield _awaited(System("bentoml", model, process, port, _plain(port)))


@contextmanager
def _running(
    stage: Stage,
    name: str,
    label: str,
    environment: Mapping[str, str],
    command: Sequence[str],
) -> Iterator[Process]:
    process = Process(name, environment, stage.root / f"logs/{label}.log", command)
    try:
        yield process
    finally:
        process.stop()


@contextmanager
def _behind_proxy(stage: Stage, label: str, server: System) -> Iterator[BehindProxy]:
    """Put the same server behind an nginx of its own, once both answer."""
    server.wait()
    port = free_port()
    keys = stage.root / "certs/erp", stage.root / "secrets/erp"
    # A short path: that of a Unix socket has room for 107 bytes.
    with TemporaryDirectory(prefix="terna-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)  # started by root, nginx's workers are nobody
        changes = substitutions(folder, *keys, port, free_port(), server.port)
        proxy = ReverseProxy(folder, stage.root / f"logs/{label}-nginx.log", changes)
        try:
            url = f"https://localhost:{port}/invocations"
            system = BehindProxy(**vars(server) | {"url": url}, proxy=proxy)
            proxy.process.wait_until(system.answers)
            yield system
        finally:
            proxy.process.stop()


def _serving_settings(
    stage: Stage, model: Model, label: str, port: int, workers: int = 1, compiled: bool = True
) -> Settings:
    changes = {
        "model": model.name,
        "port": port,
        "workers": workers,
        "compile": compiled,
        "cache_dir": stage.root / "serving" / label,
    }
    return replace(stage.settings, serving=stage.settings.serving.model_copy(update=changes))


def _awaited(system: System) -> System:
    system.wait()
    return system


def _plain(port: int) -> str:
    return f"http://localhost:{port}/invocations"

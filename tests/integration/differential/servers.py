"""MLflow's scoring server in processes: as `mlflow models serve` starts it, and for many models."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import httpx

from terna.ports import free_port
from tests.integration.differential import scoring_app

PATIENCE = 120
"""Seconds until every server answers; they start at the same time."""

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
"""Errors list sets: with one seed, every process lists them in one order."""

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Response:
    """A response, but for the headers that name the server and the time."""

    status: int
    content_type: str
    body: bytes
    allow: str | None = None


class MLflowServer:
    """A process that answers at one port."""

    def __init__(self, command: str, port: int, log: Path, environment: Mapping[str, str]) -> None:
        """
        Args:
            command: takes the options `--host` and `--port`.
        """
        tools = Path(sys.executable).parent  # MLflow's command starts `uvicorn` by name
        path = f"{tools}:{os.environ['PATH']}"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*f"{tools}/{command}".split(), "--host", "127.0.0.1", "--port", str(port)],
                cwd=ROOT,
                env=os.environ | ENVIRONMENT | {"PATH": path, **environment},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            timeout=PATIENCE,
            limits=httpx.Limits(max_keepalive_connections=0),  # it resets some after an error
        )

    def wait(self, ping: str, until: float) -> None:
        while not self._answers(ping):
            assert self._process.poll() is None, "the scoring server has ended"
            assert monotonic() < until, "the scoring server does not answer"
            sleep(0.3)

    def ask(self, method: str, path: str, content_type: str | None, body: bytes) -> Response:
        headers = {} if content_type is None else {"content-type": content_type}
        response = self._client.request(method, path, content=body, headers=headers)
        return Response(
            response.status_code,
            response.headers.get("content-type", ""),
            response.content,
            response.headers.get("allow"),
        )

    def close(self) -> None:
        self._client.close()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def _answers(self, ping: str) -> bool:
        try:
            return self._client.get(ping).is_success
        except httpx.TransportError:
            return False


@dataclass(frozen=True)
class MLflowModel:
    """One model behind MLflow's scoring server."""

    server: MLflowServer
    path: str = ""
    """Where its routes begin."""

    def wait(self, until: float) -> None:
        self.server.wait(f"{self.path}/ping", until)

    def ask(self, method: str, path: str, content_type: str | None, body: bytes) -> Response:
        return self.server.ask(method, f"{self.path}{path}", content_type, body)


@contextmanager
def serving(
    alone: Mapping[str, Path], together: Mapping[str, Path]
) -> Iterator[tuple[dict[str, MLflowModel], dict[str, MLflowModel]]]:
    """Start `mlflow models serve` for each model of `alone`, and one process for all `together`."""
    ports: list[int] = []
    with ExitStack() as servers:

        def start(command: str, folder: Path, **environment: str) -> MLflowServer:
            ports.append(free_port(18000, avoid=ports))
            log = folder.with_name(f"{ports[-1]}.log")
            server = MLflowServer(command, ports[-1], log, environment)
            servers.callback(server.close)
            return server

        separate = {
            name: MLflowModel(start(f"mlflow models serve --env-manager local -m {folder}", folder))
            for name, folder in alone.items()
        }
        shared = start(
            f"uvicorn --lifespan off --factory {scoring_app.__name__}:create_app",
            next(iter(together.values())),
            **{scoring_app.FOLDERS: json.dumps({n: str(f) for n, f in together.items()})},
        )
        mounted = {name: MLflowModel(shared, f"/{name}") for name in together}
        until = monotonic() + PATIENCE
        for model in (*separate.values(), *mounted.values()):
            model.wait(until)
        yield separate, mounted

"""The real `mlflow models serve`, one process a model."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import httpx

from terna.ports import free_port

PATIENCE = 90
"""Seconds until every server answers; they start at the same time."""


@dataclass(frozen=True)
class Response:
    """A response, but for the headers that name the server and the time."""

    status: int
    content_type: str
    body: bytes
    allow: str | None = None


class MLflowServer:
    """One model behind `mlflow models serve`."""

    def __init__(self, folder: Path, port: int) -> None:
        command = f"models serve -m {folder} -p {port} -h 127.0.0.1 --env-manager local"
        tools = str(Path(sys.executable).parent)  # it starts `uvicorn` by name
        with folder.with_suffix(".log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", *command.split()],
                env=os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            timeout=PATIENCE,
            limits=httpx.Limits(max_keepalive_connections=0),  # it resets some after an error
        )

    def wait(self, until: float) -> None:
        while not self._answers():
            assert self._process.poll() is None, "mlflow models serve has ended"
            assert monotonic() < until, "mlflow models serve does not answer"
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

    def _answers(self) -> bool:
        try:
            return self._client.get("/ping").is_success
        except httpx.TransportError:
            return False


@contextmanager
def serving(models: Mapping[str, Path]) -> Iterator[dict[str, MLflowServer]]:
    """Start a server for each model, all at once."""
    servers: dict[str, MLflowServer] = {}
    ports: list[int] = []
    try:
        for name, folder in models.items():
            ports.append(free_port(18000, avoid=ports))
            servers[name] = MLflowServer(folder, ports[-1])
        until = monotonic() + PATIENCE
        for server in servers.values():
            server.wait(until)
        yield servers
    finally:
        for server in servers.values():
            server.close()

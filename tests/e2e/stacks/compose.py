"""The servers in containers."""

import base64
import shlex
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, Self

import boto3
import httpx

from terna.erp.from_settings import connection_of
from terna.errors import TernaError
from terna.registry.registry import MLflowRegistry
from terna.settings import Erp, Settings, Tracking, Training
from tests.adversarial.listener import Listener
from tests.e2e.stacks.forwarder import Address, Forwarder
from tests.e2e.stacks.project import Project
from tests.e2e.stacks.stack import Stack

BUCKET = "mlflow"
KEY = "secrets/ssh/id_ed25519"


class ComposeStack(Stack):
    """The replica in containers, used as its users do: by ssh, by HTTPS, with its clone's keys."""

    def __init__(self, tag: str) -> None:
        self.project = Project(tag)
        self.root = self.project.checkout.root
        self._tracking = Forwarder(lambda: self.address("tracking", 5000))
        self._object_store = Forwarder(lambda: self.address("object-store", 9000))
        self._open = ExitStack()

    def __enter__(self) -> Self:
        for opened in (self._tracking, self._object_store, self.project):
            self._open.enter_context(opened)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def write_env(self, **settings: str) -> None:
        """Write `.env`: these settings, and a first training that is short."""
        lines = {"TERNA_TRAINING_TRIALS": "3"} | settings
        text = "".join(f"{name}={value}\n" for name, value in lines.items())
        self.project.checkout.write("terna/.env", text.encode())

    def up_without_a_model(self) -> None:
        """Everything but the first training: there is nothing in the registry."""
        services = set(self.project.compose("config", "--services").split())
        self.project.compose("up", "--detach", *sorted(services - {"first-model", "ready"}))
        for server in ("training", "tracking", "serving"):
            self.wait_for(server)

    def terna(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        changed = (f"{name}={value}" for name, value in settings.items())
        return self.ssh(shlex.join(["env", *changed, "terna", *arguments]))

    def ssh(
        self, line: str, *options: str, user: str = "analyst", key: str = KEY, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Type a line on the training server, as the analyst unless told otherwise."""
        port = ("-p", str(self.project.ssh_port))
        command = ["ssh", *self.login(key), *port, *options, f"{user}@127.0.0.1", line]
        return self.project.checkout.run(command, environment)

    def bring(self, file: Path) -> str:
        own = self.project.checkout.write(file.name, file.read_bytes())
        port = ("-P", str(self.project.ssh_port))
        copied = self._run(["scp", *self.login(), *port, str(own), "analyst@127.0.0.1:"])
        assert copied.returncode == 0, copied.stderr
        return file.name

    def stop(self, server: str) -> None:
        self.project.compose("stop", "--timeout", "20", *_containers(server))

    def start(self, server: str) -> None:
        served = {"TERNA_SERVING_MODEL": self.model}
        served |= {f"TERNA_SERVING_{name.upper()}": str(v) for name, v in self.changed.items()}
        self.project.compose("up", "--detach", "--no-deps", *_containers(server), **served)
        self.wait_for(server)

    def wait_for(self, server: str) -> None:
        """Return when the server answers; fails the test when it never does."""
        answers = {
            "training": self._training_answers,
            "tracking": self._tracking_answers,
            "serving": self._serving_answers,
        }
        self.wait_until(answers[server], server)

    def wait_for_version(self, number: int) -> None:
        """Return when both containers of serving, and the reverse proxy, answer by this version."""
        for container in _containers("serving"):
            self.wait_until(partial(self._serves, container, str(number)), container)
        super().wait_for_version(number)

    def _serves(self, container: str, version: str) -> bool:
        answer = self._asked(container, "/v2/models")
        return bool(answer and answer.getheader("x-model-version") == version)

    def _asked(self, container: str, path: str) -> HTTPResponse | None:
        """Return what a container of serving answers itself; None where it does not."""
        try:
            address = self.address(container, 8124)
            listener = Listener(container, address, "serving", connection_of(self.settings.erp))
            with closing(listener.speak_http(5)) as connection:
                connection.request("GET", path, headers=listener.headers)
                answer = connection.getresponse()
                answer.read()
                return answer
        except (OSError, HTTPException):
            return None

    @property
    def listeners(self) -> list[Listener]:
        connection = connection_of(self.settings.erp)
        published = "127.0.0.1", self.project.https_port
        return [
            Listener("reverse proxy", published, "localhost", connection),
            Listener("serving", self.address("serving", 8124), "serving", connection),
        ]

    @property
    def serving_process(self) -> int:
        return int(self.project.inspect("serving")["State"]["Pid"])

    def log(self, server: str) -> str:
        return self.project.compose("logs", "--no-color", "--no-log-prefix", server)

    def kept_outside_server_1(self) -> Iterator[tuple[str, bytes]]:
        """Logs, databases, objects, and each container's own volumes and /tmp."""
        yield "logs", self.project.compose("logs", "--no-color").encode()
        dump = ("exec", "-T", "postgres", "pg_dumpall", "--no-role-passwords")
        yield "databases", self.project.compose(*dump).encode()
        for found in self._s3().list_objects_v2(Bucket=BUCKET)["Contents"]:
            yield f"object-store/{found['Key']}", self.read_artifact(found["Key"])
        places = self._writable()
        del places["training"]
        for service in places:
            yield service, self._archive(service, places[service])

    def kept_on_server_1(self) -> bytes:
        """All that its containers have written, as a tar archive."""
        return self._archive("training", self._writable()["training"])

    def _writable(self) -> dict[str, list[str]]:
        """Return where each running container may write."""
        writable = {}
        for service in self.project.compose("ps", "--services").split():
            mounts = self.project.inspect(service)
            tmpfs = list(mounts["HostConfig"].get("Tmpfs") or {})
            volumes = [m["Destination"] for m in mounts["Mounts"] if m["Type"] == "volume"]
            writable[service] = [*tmpfs, *volumes]
        return writable

    def _archive(self, service: str, places: Sequence[str]) -> bytes:
        """Return what the container's own user finds there, as a tar archive."""
        line = f"tar --create --ignore-failed-read {shlex.join(places)} 2>/dev/null | base64"
        told = self.project.compose("exec", "-T", service, "bash", "-c", line)
        return base64.b64decode(told)

    def read_artifact(self, path: str) -> bytes:
        return bytes(self._s3().get_object(Bucket=BUCKET, Key=path)["Body"].read())

    def write_artifact(self, path: str, content: bytes) -> None:
        self._s3().put_object(Bucket=BUCKET, Key=path, Body=content)

    @property
    def settings(self) -> Settings:
        ca = self.root / "certs/ca.crt"
        endpoint = f"https://localhost:{self.project.https_port}/invocations"
        tracking = Tracking(
            uri=f"https://localhost:{self._tracking.port}",
            ca=ca,
            user="admin",
            password=self.project.secret("tracking/logins/admin"),
            promoting_user="",
        )
        erp = Erp(
            endpoint=endpoint,
            ca=ca,
            api_key_file=self.root / "secrets/api-keys/erp",
            certificate=self.root / "certs/erp/tls.crt",
            key=self.root / "secrets/erp/tls.key",
        )
        return replace(Settings.load(), tracking=tracking, training=self._training(), erp=erp)

    def _training(self) -> Training:
        """As on the machine of the replica, in the clone: that is where versions are released."""
        certs, secrets = self.root / "certs", self.root / "secrets"
        return Training(
            signing_key=secrets / "signer/signing.key",
            signing_public_key=certs / "training/signing.pub",
            release_key=secrets / "release/release.key",
            release_public_key=certs / "training/release.pub",
        )

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return self.project.checkout.run(command, {})

    def login(self, key: str = KEY) -> list[str]:
        """The options with which ssh, scp and sftp log in."""
        return [
            *("-F", "none", "-i", key, "-o", "IdentitiesOnly=yes"),
            *("-o", "BatchMode=yes", "-o", "LogLevel=ERROR"),
            *("-o", "StrictHostKeyChecking=accept-new"),
            *("-o", f"UserKnownHostsFile={self.root.parent}/known_hosts"),
        ]

    def address(self, service: str, port: int) -> Address:
        """Where this machine reaches a container of server 2, none of which publishes a port."""
        networks = self.project.inspect(service)["NetworkSettings"]["Networks"]
        for name in ("server-2", "storage"):
            if found := networks.get(f"{self.project.name}_{name}", {}).get("IPAddress"):
                return found, port
        raise ConnectionRefusedError(f"{service} does not run")

    def _s3(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=f"https://localhost:{self._object_store.port}",
            verify=str(self.root / "certs/ca.crt"),
            aws_access_key_id=self.project.secret("object-store/user"),
            aws_secret_access_key=self.project.secret("object-store/password"),
            region_name="us-east-1",
        )

    def _training_answers(self) -> bool:
        return self.ssh("true").returncode == 0

    def _tracking_answers(self) -> bool:
        try:
            MLflowRegistry(self.registry()).check()
        except TernaError:
            return False
        return True

    def _serving_answers(self) -> bool:
        """The reverse proxy answers for itself while serving is away, but not to this."""
        erp = self.settings.erp
        if not all(self._asked(container, "/version") for container in _containers("serving")):
            return False
        version = httpx.URL(erp.endpoint).copy_with(path="/version")
        try:
            return httpx.get(version, verify=trusting(erp.ca)).is_success
        except httpx.HTTPError:
            return False


def _containers(server: str) -> tuple[str, ...]:
    """Return who has to be away for a server to be away: serving has a standby."""
    return (server, "serving-standby") if server == "serving" else (server,)


def trusting(ca: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca))

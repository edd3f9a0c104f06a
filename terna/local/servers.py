"""The servers as local processes: their settings, keys and certificates, start and stop."""

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Self

from terna.erp.client import Client
from terna.erp.from_settings import connection_of
from terna.errors import TernaError
from terna.ports import free_port
from terna.processes import Process, terna_command
from terna.progress import Reporter
from terna.registry.client import connect
from terna.registry.registry import MLflowRegistry
from terna.security import signing
from terna.security.ca import Service, ensure_certificates
from terna.security.renewal import renew_repeatedly
from terna.security.secrets import (
    ensure_api_keys,
    ensure_erp_secrets,
    ensure_logins,
    ensure_table_key,
)
from terna.settings import Audit, Erp, Settings, Tracking

COMMANDS = {"tracking": "track", "serving": "serve"}
"""The command of `terna` that runs each server."""

LOGINS = {"tracking": "health", "serving": "serving"}
"""The login of each to the tracking server."""

LOCAL = ("localhost", "127.0.0.1")
CERTIFICATES = (
    Service("tracking", LOCAL),
    Service("serving", LOCAL),
    Service("erp", LOCAL, is_client=True),
    Service("monitoring", LOCAL, is_client=True),
)


def local_settings(root: Path, defaults: Settings, model: str = "") -> Settings:
    """Return the settings of local servers whose files are all below `root`.

    The ports are those of `defaults` where they are free, else any free ones.
    """
    tracking_port = free_port(defaults.tracking.port)
    serving_port = free_port(defaults.serving.port, avoid=(tracking_port,))
    state, certs, secrets = root / ".terna", root / "certs", root / "secrets"
    return Settings(
        tracking=Tracking(
            uri=f"https://localhost:{tracking_port}",
            ca=certs / "ca.crt",
            port=tracking_port,
            backend_store_uri=f"sqlite:///{state}/tracking/mlflow.db",
            auth_database_uri=f"sqlite:///{state}/tracking/logins.db",
            artifacts_destination=str(state / "tracking/artifacts"),
            certificate=certs / "tracking/tls.crt",
            key=secrets / "tracking/tls.key",
            logins_dir=secrets / "tracking/logins",
        ),
        training=defaults.training.model_copy(
            update={
                "workspace_dir": state / "training",
                "table_key": secrets / "training/table.key",
                "signing_key": secrets / "training/signing.key",
                "signing_public_key": certs / "training/signing.pub",
                "release_key": secrets / "release/release.key",
                "release_public_key": certs / "training/release.pub",
            }
        ),
        serving=defaults.serving.model_copy(
            update={
                "port": serving_port,
                "model": model or defaults.serving.model,
                "cache_dir": state / "serving",
                "verify_key": certs / "serving/signing.pub",
                "release_verify_key": certs / "serving/release.pub",
                "api_keys": secrets / "serving/api-keys.json",
                "client_ca": certs / "serving/ca.crt",
                "certificate": certs / "serving/tls.crt",
                "key": secrets / "serving/tls.key",
            }
        ),
        erp=Erp(
            endpoint=f"https://localhost:{serving_port}/invocations",
            ca=certs / "ca.crt",
            api_key_file=secrets / "api-keys/erp",
            certificate=certs / "erp/tls.crt",
            key=secrets / "erp/tls.key",
        ),
        audit=Audit(log=state / "audit.jsonl"),
    )


def describe_moved_ports(wanted: Settings, settings: Settings) -> list[str]:
    """Return a line for each port that was taken, with the one used instead."""
    pairs = {
        "tracking": (wanted.tracking.port, settings.tracking.port),
        "serving": (wanted.serving.port, settings.serving.port),
    }
    return [
        f"Port {before} is taken: {name} listens on {after}."
        for name, (before, after) in pairs.items()
        if before != after
    ]


def ensure_local_secrets(settings: Settings, root: Path) -> list[Path]:
    """Make certificates, keys, API keys and passwords of logins where they are missing.

    Returns:
        The files that it made.

    Raises:
        SettingsError: as `ensure_certificates` and `ensure_signing_keys`.
    """
    made = ensure_certificates(root / "certs", root / "secrets", CERTIFICATES)
    training, serving = settings.training, settings.serving
    keys = {
        training.signing_key: (training.signing_public_key, serving.verify_key),
        training.release_key: (training.release_public_key, serving.release_verify_key),
    }
    paths = [path for private, public in keys.items() for path in (private, *public)]
    missing = [path for path in (*paths, training.table_key) if not path.exists()]
    for private, copies in keys.items():
        for public in copies:
            signing.ensure_signing_keys(private, public)
    ensure_table_key(training.table_key)
    logins = ensure_logins(settings.tracking.logins_dir)
    erp = ensure_erp_secrets(root / "secrets/erp")
    return [*made, *missing, *logins, *erp, *ensure_api_keys(root / "secrets")]


def _make_private(folder: Path) -> None:
    """Make the folder of all that the servers keep, which only its owner may enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


class LocalServers:
    """Tracking and serving as processes that run from the start of a `with` block to its end.

    Tracking answers from the start; call `wait("serving")` before serving is asked.
    """

    def __init__(self, root: Path, settings: Settings, reporter: Reporter) -> None:
        """Remember the settings. Starts nothing yet."""
        self.settings = settings
        self._reporter = reporter
        self._root = root
        self._logs = root / ".terna/logs"
        self._processes: dict[str, Process] = {}

    def __enter__(self) -> Self:
        """Start both servers, and wait for tracking to answer."""
        _make_private(self._root / ".terna")
        ensure_local_secrets(self.settings, self._root)
        try:
            with self._reporter.step("starting the servers"):
                self.start("tracking")
                self.start("serving")
                self.wait("tracking")
            self._renew_certificates()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what runs."""
        self.close()

    def start(self, name: str) -> None:
        """Start a server that does not run; return without waiting for its answer."""
        log = self._logs / f"{name}.log"
        command = terna_command(COMMANDS[name])
        tracking = self.settings.tracking.model_copy(update={"user": LOGINS[name], "password": ""})
        environment = replace(self.settings, tracking=tracking).environment()
        self._processes[name] = Process(name, environment, log, command)

    def wait(self, name: str) -> None:
        """Return when the server answers.

        Raises:
            TernaError: it ended, or does not answer in time.
        """
        answers = {"tracking": self._tracking_answers, "serving": self._serving_answers}
        self._processes[name].wait_until(answers[name])

    def process(self, name: str) -> int:
        """Return the id of a server's process, which started its others."""
        return self._processes[name].group

    def stop(self, name: str) -> None:
        """Stop one server; the other keeps running."""
        self._processes.pop(name).stop()

    def close(self) -> None:
        """Stop what runs, in the order of the starts reversed, whatever fails meanwhile."""
        with ExitStack() as stops:
            for name in list(self._processes):
                stops.callback(self.stop, name)
            with self._reporter.step("stopping the servers"):  # fails where nobody reads it
                stops.close()

    def _renew_certificates(self) -> None:
        renew = partial(ensure_local_secrets, self.settings, self._root)
        Thread(target=renew_repeatedly, args=(renew, self._root / "certs"), daemon=True).start()

    def _tracking_answers(self) -> bool:
        try:
            MLflowRegistry(connect(self.settings.tracking)).check()
        except TernaError:
            return False
        return True

    def _serving_answers(self) -> bool:
        with Client(connection_of(self.settings.erp)) as client:
            try:
                client.version()
            except TernaError:
                return False
        return True

"""Serving, put together: settings → one worker's application, and the server that runs it."""

import multiprocessing
import os
import resource
from pathlib import Path

from granian.constants import Interfaces, SSLProtocols
from granian.http import HTTP1Settings

from terna.errors import SettingsError
from terna.security.api_keys import read_keys
from terna.security.audit import AuditLog
from terna.security.renewal import CertificateFiles
from terna.serving import logs, metrics
from terna.serving.agent.heartbeat import Heartbeat
from terna.serving.cache.compiled_cache import CompiledCache
from terna.serving.cache.model_cache import ModelCache
from terna.serving.confinement import forget_secrets
from terna.serving.connections import ConnectionLimits
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http.app import App
from terna.serving.http.authentication import Authenticator
from terna.serving.inference_pool.pool import pool_of
from terna.serving.loader import Loader
from terna.serving.logs import RequestLog
from terna.serving.supervisor import Supervisor
from terna.serving.workers import Server
from terna.settings import Serving, Settings

PEERS = 4
"""How many peers may have as many connections as one may, before a worker accepts no more."""


def worker() -> App:
    """Build one worker's application and load its model.

    It is loaded here because a worker whose event loop does not run yet loses a signal to end.
    """
    settings = Settings.load()
    app = build(settings)
    forget_secrets()  # before the pool's children are started
    app.loader.poll_once()
    ConnectionLimits(settings.serving).start()
    return app


def build(settings: Settings | None = None) -> App:
    """Build one worker's application; it reads no model before its loader polls."""
    settings = settings or Settings.load()
    serving, active = settings.serving, ActiveModel()
    models = ModelCache(serving.cache_dir, serving.verify_key, serving.key, serving.max_model_bytes)
    loader = Loader(
        serving.model,
        models,
        CompiledCache(serving.key),
        active,
        lambda version: pool_of(version, serving),
    )
    authenticator = Authenticator(serving.api_keys, AuditLog(settings.audit.log))
    return App(active, serving, loader, authenticator, RequestLog())


def serve(serving: Serving) -> None:
    """Run the server until it is told to stop.

    Raises:
        SettingsError: a key or certificate is missing, or the API keys cannot be read.
    """
    for path in (serving.certificate, serving.key, serving.verify_key, serving.client_ca):
        _check_file(path)
    read_keys(serving.api_keys)
    ModelCache(
        serving.cache_dir, serving.verify_key, serving.key, serving.max_model_bytes
    ).remove_partial_downloads()
    metrics.reset(serving.cache_dir / "metrics")
    # Workers and their children inherit it. More threads in the models' libraries would take the
    # cores of other requests, and change the order in which BLAS adds up.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    with Supervisor("agent", Heartbeat(serving)):
        run("terna.serving.server:worker", serving)


def run(app: str, serving: Serving) -> None:
    """Run the server around an application.

    Args:
        app: where its factory is, as `module:function`.
    """
    # A forked worker would inherit the locks that the supervisor's thread holds.
    multiprocessing.set_start_method("spawn", force=True)
    _allow_open_files()
    Server(
        app,
        factory=True,
        interface=Interfaces.RSGI,
        address=serving.host,
        port=serving.port,
        workers=serving.workers,
        websockets=False,
        http1_settings=HTTP1Settings(header_read_timeout=int(serving.idle_timeout_seconds * 1000)),
        backpressure=PEERS * serving.max_connections_per_peer,
        workers_kill_timeout=serving.drain_seconds,
        log_dictconfig=logs.CONFIG,
        certificate=CertificateFiles(serving.certificate, serving.key),
        ssl_ca=serving.client_ca,
        ssl_client_verify=serving.client_certificates,
        ssl_protocol_min=SSLProtocols(f"tls{serving.min_tls}"),
    ).serve()


def _allow_open_files() -> None:
    """Allow this process and its workers as many open files as the system lets them have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise SettingsError(f"{path} is missing: `terna certificates` makes it.")

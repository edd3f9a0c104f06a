"""Serving, put together: settings → one worker's application, and the server that runs it."""

import multiprocessing
from pathlib import Path

from granian.constants import Interfaces

from terna.errors import SettingsError
from terna.serving import logs, metrics
from terna.serving.cache.compiled_cache import CompiledCache
from terna.serving.cache.model_cache import ModelCache
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http.app import App
from terna.serving.loader import Loader
from terna.serving.logs import RequestLog
from terna.serving.supervisor import Supervisor
from terna.serving.workers import Server
from terna.settings import Serving, Settings


def worker() -> App:
    """Build one worker's application and load its model.

    It is loaded here because a worker whose event loop does not run yet loses a signal to end.
    """
    app = build()
    app.loader.poll_once()
    return app


def build(settings: Settings | None = None) -> App:
    """Build one worker's application; it reads no model before its loader polls."""
    serving = (settings or Settings.load()).serving
    active = ActiveModel()
    models = ModelCache(serving.cache_dir, serving.verify_key)
    loader = Loader(serving.model, models, CompiledCache(serving.key), active)
    return App(active, serving, loader, RequestLog())


def serve(serving: Serving) -> None:
    """Run the server until it is told to stop; TLS 1.3 only.

    Raises:
        SettingsError: a key or certificate is missing.
    """
    for path in (serving.certificate, serving.key, serving.verify_key):
        _check_file(path)
    ModelCache(serving.cache_dir, serving.verify_key).remove_partial_downloads()
    metrics.reset(serving.cache_dir / "metrics")
    with Supervisor("agent"):
        run("terna.serving.server:worker", serving)


def run(app: str, serving: Serving) -> None:
    """Run the server around an application.

    Args:
        app: where its factory is, as `module:function`.
    """
    # A forked worker would inherit the locks that the supervisor's thread holds.
    multiprocessing.set_start_method("spawn", force=True)
    Server(
        app,
        factory=True,
        interface=Interfaces.RSGI,
        address=serving.host,
        port=serving.port,
        workers=serving.workers,
        websockets=False,
        workers_kill_timeout=serving.drain_seconds,
        log_dictconfig=logs.CONFIG,
        ssl_cert=serving.certificate,
        ssl_key=serving.key,
    ).serve()


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise SettingsError(f"{path} is missing: `terna certificates` makes it.")

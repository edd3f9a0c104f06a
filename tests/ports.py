"""Ports for tests: free ones, so that a platform which runs on this machine is left alone."""

from dataclasses import replace

from terna.embedded.processes import free_port
from terna.settings import Settings


def settings_on_free_ports() -> Settings:
    """The default settings, but for the ports."""
    settings = Settings.load()
    tracking = free_port(settings.tracking.port, avoid=(settings.tracking.port,))
    serving = free_port(settings.serving.port, avoid=(settings.serving.port, tracking))
    return replace(
        settings,
        tracking=settings.tracking.model_copy(update={"port": tracking}),
        serving=settings.serving.model_copy(update={"port": serving}),
    )

"""Ports for tests: free ones, so that a platform which runs on this machine is left alone."""

from dataclasses import replace

from terna.ports import free_port
from terna.settings import Settings


def settings_on_free_ports() -> Settings:
    """The default settings, but for the ports."""
    settings = Settings.load()
    tracking, serving = free_ports(settings.tracking.port, settings.serving.port)
    return replace(
        settings,
        tracking=settings.tracking.model_copy(update={"port": tracking}),
        serving=settings.serving.model_copy(update={"port": serving}),
    )


def free_ports(first: int, second: int) -> tuple[int, int]:
    """Two free ports, neither of them one of these."""
    instead = free_port(first, avoid=(first, second))
    return instead, free_port(second, avoid=(first, second, instead))

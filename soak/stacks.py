"""Where serving runs: local processes, or the replica in containers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench import machine, systems
from bench.stage import Stage, opened
from soak.clients import Target
from soak.server import NAME, Server, published
from terna.erp.from_settings import connection_of
from terna.errors import TernaError
from terna.progress import Reporter
from terna.registry.client import connect
from terna.registry.registry import MLflowRegistry
from terna.settings import Settings

if TYPE_CHECKING:
    # Imported where used: it brings in pytest and boto3.
    from tests.e2e.stacks.compose import ComposeStack

WORKERS = 2
POLL = 0.2
"""Seconds between two looks at the registry, so that swaps follow each other quickly."""
PORT = 8124
OVERRIDE = f"""
services:
  serving: &serving
    environment:
      TERNA_SERVING_MODEL: {NAME}
      TERNA_SERVING_WORKERS: {WORKERS}
      TERNA_SERVING_POLL_SECONDS: {POLL}
  serving-standby: *serving
  proxy:
    environment: {{TERNA_PROXY_RATE: 1000000, TERNA_PROXY_BURST: 1000000}}
"""
"""What the replica has differently; the limits of requests stay on, but beyond any load."""


@contextmanager
def local(root: Path, reporter: Reporter) -> Iterator[Server]:
    """Tracking and serving as local processes, behind nginx where that is installed."""
    behind = machine.has_nginx()
    start = systems.terna if behind else systems.serving
    with opened(root, reporter) as opened_stage:
        stage = _in_haste(opened_stage)
        models = published(stage)
        registry = MLflowRegistry(connect(stage.settings.tracking), stage.settings.tracking)
        with start(stage, models[0], NAME, WORKERS) as system:
            system.wait()
            yield Server(
                stack="local",
                reverse_proxy="nginx" if behind else "none: nginx is not installed",
                target=Target(replace(connection_of(stage.settings.erp), endpoint=system.url)),
                models=models,
                promote=lambda number: registry.promote(registry.version(NAME, number)),
                process=system.process.group,
                address=("127.0.0.1", system.port),
            )


@contextmanager
def compose(root: Path, reporter: Reporter) -> Iterator[Server]:
    """Run the replica in containers, its images built from this checkout.

    Raises:
        TernaError: it may not look into the containers' processes.
    """
    if os.geteuid():
        raise TernaError("--stack compose looks into the containers' processes: run it as root.")
    from tests.e2e.stacks.compose import ComposeStack
    from tests.engine import build_images

    with reporter.step("building the images"):
        tag = build_images()
    with ComposeStack(tag) as stack:
        (stack.root / "docker-compose.override.yml").write_text(OVERRIDE)
        with reporter.step("starting the replica"):
            stack.up_without_a_model()
        stage = Stage(root, _settings(stack, root), reporter)
        models = published(stage)
        stack.wait_for_version(models[0].number)
        yield Server(
            stack="compose",
            reverse_proxy="nginx of the replica",
            target=Target(connection_of(stack.settings.erp)),
            models=models,
            promote=lambda number: _promote(stack, number),
            process=stack.project.inspect("serving")["State"]["Pid"],
            address=stack.address("serving", 8124),
        )


STACKS = {"local": local, "compose": compose}


def _in_haste(stage: Stage) -> Stage:
    serving = stage.settings.serving.model_copy(update={"poll_seconds": POLL})
    return replace(stage, settings=replace(stage.settings, serving=serving))


def _settings(stack: "ComposeStack", root: Path) -> Settings:
    """Training on this machine, with the keys of the replica's server 1."""
    changes = {
        "workspace_dir": root / "training",
        "signing_key": stack.root / "secrets/signer/signing.key",
        "signing_public_key": stack.root / "certs/training/signing.pub",
    }
    return replace(stack.settings, training=stack.settings.training.model_copy(update=changes))


def _promote(stack: "ComposeStack", number: int) -> None:
    done = stack.terna("promote", str(number), "--name", NAME)
    if done.returncode:
        raise TernaError(f"version {number} cannot be promoted: {done.stderr.strip()}")

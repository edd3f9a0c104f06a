"""The commands that ask the registry."""

from pathlib import Path

import pytest

from terna.registry import client
from terna.registry import registry as registry_module
from terna.security import signing
from tests.fakes import MemoryRegistry
from tests.unit.cli.running import Terna


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryRegistry:
    registry = MemoryRegistry(tmp_path / "registry")
    monkeypatch.setattr(client, "connect", lambda _: None)
    monkeypatch.setattr(registry_module, "MLflowRegistry", lambda *_: registry)
    (tmp_path / "model").mkdir()
    for model_id in ("m-1", "m-2"):
        registry.register("churn", tmp_path / "model", model_id, "run1")
    return registry


def test_promote_puts_the_version_into_production(terna: Terna, registry: MemoryRegistry) -> None:
    done = terna("promote", "2", "--name", "churn", "--force")

    assert (done.code, done.out) == (0, "churn version 2 is in production\n")
    assert registry.production("churn") == registry.version("churn", 2)


def test_promote_of_what_would_not_serve_changes_nothing(
    terna: Terna, registry: MemoryRegistry, tmp_path: Path
) -> None:
    keys = tmp_path / "secrets/training/signing.key", tmp_path / "certs/training/signing.pub"
    signing.ensure_signing_keys(*keys)
    done = terna("promote", "2", "--name", "churn")

    assert done.code == 1
    assert "it has no file model.sig" in done.err
    assert "--force" in done.err
    assert len(done.err.splitlines()) == 1
    assert registry.production("churn") is None


def test_promote_of_a_missing_version_changes_nothing(
    terna: Terna, registry: MemoryRegistry
) -> None:
    done = terna("promote", "3", "--name", "churn")

    assert done.code == 1
    assert "version=3" in done.err
    assert registry.production("churn") is None


def test_healthcheck_is_silent_while_the_registry_answers(
    terna: Terna, registry: MemoryRegistry
) -> None:
    assert registry.reachable
    done = terna("healthcheck")

    assert (done.code, done.out, done.err) == (0, "", "")


def test_healthcheck_fails_while_the_registry_does_not_answer(
    terna: Terna, registry: MemoryRegistry
) -> None:
    registry.reachable = False

    done = terna("healthcheck")

    assert done.code == 1
    assert "does not answer" in done.err

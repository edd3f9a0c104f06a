"""The validator: how fast a version must be, and which backend answers for it."""

import pytest

from terna.compiler.verification import verification
from terna.errors import NotCompilable
from terna.serving.agent import validator
from terna.serving.agent.reconciler import BACKEND_TAG, Reconciler
from terna.serving.agent.validator import Validator
from tests.unit.workshop import NAME, Server2


def test_version_much_slower_than_its_predecessor_is_rejected(
    server: Server2, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = server.promote()
    server.poll_once()
    slow = server.promote()
    monkeypatch.setattr(validator, "measure_seconds", lambda *_: 3600.0)

    server.poll_once()

    assert server.active.version == good
    assert "TERNA_SERVING_MAX_SLOWDOWN is 10" in server.tag(slow)


def test_version_answers_by_pyfunc_if_compiling_is_off(
    server: Server2,
) -> None:
    version = server.promote()
    server.poll_once()
    uncompiled = Validator(server.compiled_cache, max_slowdown=0, compile_models=False)
    server.reconciler = Reconciler(NAME, server.registry, server.models, uncompiled.validate)

    server.poll_once()

    assert server.active.get().backend == "pyfunc"
    backend = server.registry.tags[NAME, version.number][BACKEND_TAG]
    assert backend == "pyfunc: TERNA_SERVING_COMPILE says so"


def test_version_that_cannot_be_compiled_answers_by_pyfunc(
    server: Server2, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise NotCompilable("the labels of 1 of 200 rows differ")

    monkeypatch.setattr(verification, "compile_verified", fail)
    version = server.promote()

    server.poll_once()

    assert server.active.version == version
    assert server.active.get().backend == "pyfunc"
    backend = server.registry.tags[NAME, version.number][BACKEND_TAG]
    assert backend == "pyfunc: the labels of 1 of 200 rows differ"

"""The validator: how fast a version must be, which backend answers, and what a restart keeps."""

from collections.abc import Mapping
from typing import Any

import pytest

from terna.compiler.verification import verification
from terna.errors import ModelRejected, NotCompilable
from terna.serving.agent.child import Job, Report
from terna.serving.agent.reconciler import BACKEND_TAG
from terna.serving.cache import compiled_cache
from tests.unit.workshop import NAME, Server2, tamper, validate_here


class Reporting:
    """Reports times as told, validation after validation."""

    def __init__(self, *seconds: Mapping[str, float]) -> None:
        self._seconds = list(seconds)
        self.jobs: list[Job] = []

    def __call__(self, job: Job, _seconds: float, _memory_bytes: int) -> Report:
        self.jobs.append(job)
        return Report("pyfunc: fake", self._seconds.pop(0))


@pytest.mark.parametrize(
    ("before", "now", "is_rejected"),
    [
        ({"pyfunc": 0.01}, {"pyfunc": 0.09}, False),
        ({"pyfunc": 0.01}, {"pyfunc": 0.11}, True),
        ({"pyfunc": 0.01, "compiled": 0.0001}, {"pyfunc": 0.09}, False),
        ({"pyfunc": 0.01, "compiled": 0.0001}, {"pyfunc": 0.11}, True),
        ({"pyfunc": 0.01, "compiled": 0.0001}, {"pyfunc": 9.0, "compiled": 0.0009}, False),
        ({"pyfunc": 0.01, "compiled": 0.0001}, {"pyfunc": 0.01, "compiled": 0.0011}, True),
        ({"pyfunc": 0.01}, {"pyfunc": 0.01, "compiled": 0.0001}, False),
    ],
)
def test_version_is_compared_with_its_predecessor_by_the_same_backend(
    server: Server2, before: dict[str, float], now: dict[str, float], is_rejected: bool
) -> None:
    server.restart_agent(validate=Reporting(before, now))
    server.promote()
    server.poll_once()
    version = server.promote()

    server.poll_once()

    tag = server.tag(version)
    assert tag.startswith("rejected: ") == is_rejected
    assert ("TERNA_SERVING_MAX_SLOWDOWN is 10" in tag) == is_rejected


def test_speed_of_the_predecessor_is_known_after_a_restart(server: Server2) -> None:
    server.restart_agent(validate=Reporting({"pyfunc": 0.01}))
    server.promote()
    server.poll_once()
    slow = server.promote()
    server.restart_agent(validate=Reporting({"pyfunc": 1.0}))

    server.poll_once()

    assert "TERNA_SERVING_MAX_SLOWDOWN is 10" in server.tag(slow)


def test_rejected_version_is_rejected_after_a_restart_while_tracking_takes_no_tag(
    server: Server2,
) -> None:
    good = server.promote()
    server.poll_once()
    bad = server.promote()
    server.restart_agent(validate=Reporting({"pyfunc": 3600.0}))
    server.poll_once()
    server.registry.tags.clear()
    again = Reporting()
    server.restart_agent(validate=again)
    server.restart_worker()

    server.poll_once()

    assert again.jobs == []
    assert server.active.version == good
    assert "TERNA_SERVING_MAX_SLOWDOWN is 10" in server.tag(bad)


def test_rejected_version_is_validated_again_when_the_setting_that_decided_changes(
    server: Server2,
) -> None:
    server.promote()
    server.poll_once()
    slow = server.promote()
    server.restart_agent(validate=Reporting({"pyfunc": 3600.0}))
    server.poll_once()

    server.restart_agent(max_slowdown=0)
    server.poll_once()

    assert server.active.version == slow
    assert server.tag(slow) == "serving"


def test_rejected_version_promoted_again_after_a_restart_is_validated_again(
    server: Server2,
) -> None:
    good = server.promote()
    server.poll_once()
    slow = server.promote()
    server.restart_agent(validate=Reporting({"pyfunc": 3600.0}))
    server.poll_once()
    server.restart_agent(validate=Reporting({"pyfunc": 0.001}))
    server.registry.promote(good)
    server.poll_once()

    server.registry.promote(slow)
    server.poll_once()

    assert server.active.version == slow


def test_accepted_version_is_not_validated_again_after_a_restart(server: Server2) -> None:
    version = server.promote()
    server.poll_once()
    again = Reporting()
    server.restart_agent(validate=again)
    server.registry.tags.clear()

    server.poll_once()

    assert again.jobs == []
    assert server.tag(version) == "serving"
    assert server.registry.tags[NAME, version.number][BACKEND_TAG] == "compiled: trees"


def test_accepted_version_whose_compiled_model_is_gone_is_validated_again(server: Server2) -> None:
    version = server.promote()
    server.poll_once()
    compiled = compiled_cache.path_for(server.models.path_for(version))
    compiled.write_bytes(compiled.read_bytes()[:-1])
    server.restart_agent()

    server.poll_once()

    assert server.compiled_cache.load(version, server.models.path_for(version)) is not None


def test_current_note_that_was_changed_is_written_again(
    server: Server2, caplog: pytest.LogCaptureFixture
) -> None:
    first = server.promote()
    server.poll_once()
    note = server.folder / NAME / "current.json"
    of_first = note.read_bytes()
    second = server.promote()
    server.poll_once()

    note.write_bytes(of_first.replace(b'"number": 1', b'"number": 7'))
    server.poll_once()

    assert server.models.current(NAME) == second != first
    assert "the current version of churn was changed or damaged" in caplog.text


def test_version_answers_by_pyfunc_if_compiling_is_off(server: Server2) -> None:
    version = server.promote()
    server.poll_once()
    server.restart_agent(compile=False)

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


def test_files_changed_between_fetch_and_validation_are_rejected(server: Server2) -> None:
    version = server.register()
    tamper(server.models.fetch(version, server.registry))
    server.restart_agent(validate=validate_here)

    with pytest.raises(ModelRejected, match="is not what training signed"):
        server.validator.validate(version)
    assert server.kept() == set()


def test_compiled_model_that_answers_otherwise_is_left_out(
    server: Server2, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_verified = verification.compile_verified

    def compile_wrongly(*arguments: Any) -> tuple[Any, Any]:
        compiled, report = compile_verified(*arguments)
        predict_rows = compiled.predict_rows
        monkeypatch.setattr(
            type(compiled), "predict_rows", lambda _, rows: list(reversed(predict_rows(rows) or []))
        )
        return compiled, report

    monkeypatch.setattr(verification, "compile_verified", compile_wrongly)
    version = server.promote()

    server.reconciler.poll_once()

    backend = server.registry.tags[NAME, version.number][BACKEND_TAG]
    assert backend.startswith("pyfunc: compiled, churn version 1 answers ")
    assert server.tag(version) == "serving"

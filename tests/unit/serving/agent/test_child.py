"""Validation in a child process: whatever a model does there, the agent gets an answer."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from terna.errors import ModelRejected, ValidationFailed
from terna.serving.agent.child import Job, Report, validate_in_child
from terna.serving.cache.compiled_cache import cache_key
from tests.unit.workshop import Workshop

Validate = Callable[..., Report]

CODE = """
import ctypes, os, subprocess, sys, threading, time, warnings
from mlflow.pyfunc import PythonModel
from mlflow.models import set_model

def is_pipe(number):
    path = "/proc/self/fd/" + number
    return os.path.exists(path) and "pipe:" in os.readlink(path)

class Model(PythonModel):
    def load_context(self, context):
        {body}

    def predict(self, model_input):
        return [1] * len(model_input)

set_model(Model())
"""


DAEMON = """
import os, time
os.fork() and os._exit(0)
os.setsid()
open({part!r}, "w").write(str(os.getpid()))
os.rename({part!r}, {file!r})
time.sleep(4242)
"""


def start_daemon(pid_file: Path) -> str:
    """Return a line of code that starts a daemon: an orphan in a session of its own."""
    program = DAEMON.format(part=f"{pid_file}.part", file=str(pid_file))
    wait = f"while not os.path.exists({str(pid_file)!r}): time.sleep(0.01)"
    return f"subprocess.run([sys.executable, '-c', {program!r}]); exec({wait!r})"


@pytest.fixture
def validate(workshop: Workshop, tmp_path: Path) -> Validate:
    """Validates a model that does this when it is loaded."""

    def validate(body: str, seconds: float = 60, memory_bytes: int = 4_000_000_000) -> Report:
        version, folder = workshop.make_of_code(tmp_path / "model", CODE.format(body=body))
        return validate_in_child(Job(version, folder, cache_key(folder)), seconds, memory_bytes)

    return validate


def test_report_of_a_child_has_the_compiled_model(workshop: Workshop, tmp_path: Path) -> None:
    folder = workshop.make(tmp_path / "model")
    job = Job(workshop.version, folder, cache_key(folder))

    report = validate_in_child(job, 120, 4_000_000_000)

    assert report.backend == "compiled: trees"
    assert set(report.seconds) == {"compiled", "pyfunc"}
    assert len(report.compiled) > 1000


@pytest.mark.parametrize(
    ("body", "ending"),
    [
        ("os._exit(3)", "with exit code 3"),
        ("ctypes.string_at(0)", "by SIGSEGV"),
    ],
)
def test_model_that_ends_the_child_is_rejected(validate: Validate, body: str, ending: str) -> None:
    with pytest.raises(ValidationFailed, match=f"1 cannot be validated.*: {ending}"):
        validate(body)


@pytest.mark.parametrize(
    "body",
    [
        "sys.exit('customer 42')",
        "raise KeyboardInterrupt('customer 42')",
        "raise ValueError('customer 42')",
    ],
)
def test_model_that_raises_anything_is_rejected_without_its_text(
    validate: Validate, body: str
) -> None:
    with pytest.raises(
        ModelRejected, match=r"churn version 1 cannot be (loaded|validated)"
    ) as error:
        validate(body)
    assert "customer 42" not in str(error.value)


def test_model_that_fills_memory_is_rejected(validate: Validate) -> None:
    with pytest.raises(ModelRejected):
        validate("self.filled = bytearray(3_000_000_000)", memory_bytes=1_500_000_000)


def test_model_that_hangs_is_ended_with_all_that_it_started(
    validate: Validate, tmp_path: Path
) -> None:
    started, daemon = tmp_path / "started", tmp_path / "daemon"
    body = f"open({str(started)!r}, 'w').write(str(subprocess.Popen(['sleep', '4242']).pid))"
    with pytest.raises(ValidationFailed, match="TERNA_SERVING_VALIDATION_SECONDS, which is 30"):
        validate(f"{body}; {start_daemon(daemon)}; time.sleep(4242)", seconds=30)

    assert not is_running(int(started.read_text()))
    assert not is_running(int(daemon.read_text()))


@pytest.mark.parametrize("then", ["pass", "os._exit(3)"])
def test_daemon_that_a_model_starts_ends_with_the_validation(
    validate: Validate, tmp_path: Path, then: str
) -> None:
    started = tmp_path / "started"
    with suppress(ValidationFailed):
        validate(f"{start_daemon(started)}; {then}")

    assert not is_running(int(started.read_text()))


def test_daemon_that_holds_the_pipe_does_not_delay_the_verdict(validate: Validate) -> None:
    body = "os.fork() or (os.setsid(), time.sleep(4242))"
    assert validate(body, seconds=600).seconds


def test_thread_that_a_model_leaves_behind_holds_nothing_up(validate: Validate) -> None:
    assert validate("threading.Thread(target=time.sleep, args=(4242,)).start()").seconds


def test_what_a_model_prints_goes_nowhere(
    validate: Validate, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    validate("print('customer 42'); warnings.warn('customer 42'); os.write(2, b'customer 42')")

    out, err = capfd.readouterr()
    assert "customer 42" not in out + err + caplog.text


def test_model_sees_no_password(validate: Validate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERNA_TRACKING_PASSWORD", "secret")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")

    assert validate("assert 'secret' not in os.environ.values()").backend.startswith("pyfunc")


def test_kernel_ends_validation_before_a_worker_when_memory_ends(validate: Validate) -> None:
    body = "assert open('/proc/self/oom_score_adj').read().strip() == '1000'"
    assert validate(body).backend.startswith("pyfunc")


def test_answer_that_a_model_writes_itself_is_rejected(validate: Validate) -> None:
    write = "[os.write(int(f), b'[1]') for f in os.listdir('/proc/self/fd') if is_pipe(f)]"
    with pytest.raises(ModelRejected, match="cannot be validated"):
        validate(f"{write}; os._exit(0)")


def test_child_ends_with_the_agent(workshop: Workshop, tmp_path: Path) -> None:
    version, folder = workshop.make_of_code(
        tmp_path / "model", CODE.format(body="time.sleep(4243)")
    )
    job = Job(version, folder, cache_key(folder))
    agent = os.fork()
    if agent == 0:
        try:
            validate_in_child(job, 600, 4_000_000_000)
        finally:
            os._exit(0)
    children = wait_for_children(agent)

    os.kill(agent, 9)
    os.waitpid(agent, 0)

    deadline = time.monotonic() + 20
    while any(is_running(child.pid) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def wait_for_children(pid: int) -> list[psutil.Process]:
    deadline = time.monotonic() + 20
    while not (children := psutil.Process(pid).children(recursive=True)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return children

"""A child process answers, or says in one line why it does not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from terna.errors import DataError, ValidationFailed
from terna.predictor import model_process
from terna.predictor.model_process import Limits

LIMITS = Limits(60, 2_000_000_000, "TERNA_TEST")

MODULE = """
import os, signal, sys, time
from terna.errors import DataError, SettingsError

def answer(**given): return {"given": given, "open": len(os.listdir("/proc/self/fd"))}, b"\\0\\n1"
def refuse(): raise DataError("bad\\nrows")
def other(): raise SettingsError("no key")
def leave(): sys.exit("customer 42")
def stop(): os.kill(os.getpid(), signal.SIGTERM)
def wait(): time.sleep(4242)
def close(): os.closerange(3, 100); time.sleep(4242)
def no_json(): return {1, 2}, b""
def long(): return "x" * 200_000, b""
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that only the child can import."""
    (tmp_path / "functions.py").write_text(MODULE)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)


def test_answer_is_what_the_function_returns() -> None:
    document, content = model_process.ask("functions:answer", {"a": [1, "ü"]}, LIMITS)
    assert (document["given"], content) == ({"a": [1, "ü"]}, b"\0\n1")


def test_error_of_the_function_is_raised_in_one_line() -> None:
    with pytest.raises(DataError, match=r"^bad\?rows$"):
        model_process.ask("functions:refuse", {}, LIMITS)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("other", "no key"),
        ("leave", "The model ends the process that loads it: SystemExit."),
        ("stop", "The model ends the process that loads it: by SIGTERM."),
        ("no_json", "The model ends the process that loads it: TypeError."),
        ("missing", "The model ends the process that loads it: AttributeError."),
        ("long", "The model ends the process that loads it: with exit code 0."),
    ],
)
def test_child_without_a_usable_answer_says_why(function: str, reason: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        model_process.ask(f"functions:{function}", {}, LIMITS)
    assert str(refused.value) == reason


def test_child_that_takes_too_long_names_the_setting() -> None:
    limits = Limits(3, LIMITS.memory_bytes, "TERNA_TEST")
    with pytest.raises(ValidationFailed, match=r"than TERNA_TEST_SECONDS, which is 3\.$"):
        model_process.ask("functions:wait", {}, limits)


def test_child_that_closes_its_pipe_and_goes_on_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_process, "STOP_SECONDS", 0.1)
    with pytest.raises(ValidationFailed, match="by SIGKILL"):
        model_process.ask("functions:close", {}, LIMITS)


# --- the subreaper -------------------------------------------------------------------------------


def reaped(program: str, parent: int | None = None) -> "subprocess.CompletedProcess[bytes]":
    """Run a Python program below a subreaper."""
    file = Path(model_process.__file__).with_name("subreaper.py")
    command = [sys.executable, "-IS", str(file), str(parent or os.getpid())]
    return subprocess.run([*command, sys.executable, "-c", program], timeout=60, check=False)


@pytest.mark.parametrize(
    ("program", "returncode"),
    [
        ("", 0),
        ("raise SystemExit(3)", 3),
        ("import os; os.abort()", -signal.SIGABRT),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
    ],
)
def test_subreaper_ends_as_its_command_does(program: str, returncode: int) -> None:
    assert reaped(program).returncode == returncode


def test_subreaper_whose_parent_has_ended_runs_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    assert reaped(f"open({str(mark)!r}, 'w')", parent=1).returncode == -signal.SIGKILL
    assert not mark.exists()

"""A child process with a model that misbehaves: the worker gets an error, and nothing else."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas as pd
import psutil
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from terna.contracts.scoring import JSON
from terna.contracts.version import Version
from terna.errors import InternalError, PayloadTooLarge, PredictionFailed, RequestError, TimedOut
from terna.security import signing
from terna.serving.cache.model_cache import ModelCache
from terna.serving.inference_pool.calls import Describe, Infer, Predict
from terna.serving.inference_pool.process import InferenceProcess
from terna.settings import Serving
from tests.checkout import ROOT
from tests.unit.workshop import NAME

VERSION = Version(NAME, 1, "memory:/m-1", "run1")
CUSTOMER = "Ada-Lovelace-0815"
"""A value that no log may hold."""

Start = Callable[[], InferenceProcess]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Serving:
    root = tmp_path_factory.mktemp("misbehaving")
    signing.ensure_signing_keys(root / "signing.key", root / "signing.pub")
    serving = Serving(
        cache_dir=root / "cache",
        verify_key=root / "signing.pub",
        key=root / "signing.key",
        pyfunc_memory_bytes=300_000_000,
    )
    folder = ModelCache(serving.cache_dir, serving.verify_key, serving.key).path_for(VERSION)
    mlflow.pyfunc.save_model(
        folder,
        python_model=str(Path(__file__).with_name("misbehaving.py")),
        signature=ModelSignature(Schema([ColSpec(DataType.string, "text")])),
        input_example=pd.DataFrame({"text": ["hello"]}),
        metadata={"model": NAME, "run_id": "run1"},
    )
    signing.sign(folder, root / "signing.key")
    return serving


@pytest.fixture
def start(serving: Serving) -> Iterator[Start]:
    """Starts children, which the test's end ends."""
    started: list[InferenceProcess] = []

    def start() -> InferenceProcess:
        started.append(InferenceProcess(VERSION, serving))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def told(*texts: str) -> Predict:
    return Predict(JSON, json.dumps({"inputs": [{"text": text} for text in texts]}).encode())


def tell(process: InferenceProcess, *texts: str, seconds: float = 30) -> list[str]:
    response = process.call(told(*texts), time.monotonic() + seconds)
    labels: list[str] = json.loads(response.body)["predictions"]
    return labels


def forkservers() -> set[psutil.Process]:
    """Return the processes that children are forked from, and their helpers."""
    return set(psutil.Process().children())


def test_child_answers_requests_of_both_protocols_and_describes_the_model(start: Start) -> None:
    process, deadline = start(), time.monotonic() + 30
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["hello"]}

    labels = tell(process, "hello", "you")
    tensors = process.call(Infer(json.dumps({"inputs": [tensor]}).encode(), ""), deadline)
    metadata = process.call(Describe("metadata"), deadline)
    page = process.call(Describe("docs"), deadline)

    assert labels == ["done", "done"]
    assert json.loads(tensors.body)["outputs"][0]["data"] == ["done"]
    assert json.loads(metadata.body)["name"] == NAME
    assert page.body.startswith(b"<!doctype html>")
    assert process.is_usable


def test_call_that_hangs_is_killed_at_its_deadline(start: Start) -> None:
    before = set(psutil.Process().children(recursive=True))
    process = start()
    children = set(psutil.Process().children(recursive=True)) - before

    with pytest.raises(TimedOut):
        tell(process, "hang", seconds=0.2)

    assert not process.is_usable
    assert children
    assert psutil.wait_procs(children - forkservers(), 10)[1] == []


def test_triton_timeout_shortens_the_time_limit_of_one_request(start: Start) -> None:
    process = start()
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["hang"]}
    body = json.dumps({"inputs": [tensor], "parameters": {"timeout": 200_000}}).encode()

    with pytest.raises(TimedOut):
        process.call(Infer(body, ""), time.monotonic() + 50)


@pytest.mark.parametrize("timeout", [-1, 1.5, "10"])
def test_triton_timeout_that_is_no_number_of_microseconds_is_refused(
    start: Start, timeout: object
) -> None:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["hello"]}
    body = json.dumps({"inputs": [tensor], "parameters": {"timeout": timeout}}).encode()

    with pytest.raises(RequestError, match="'timeout' must be a whole number of microseconds"):
        start().call(Infer(body, ""), time.monotonic() + 50)


def test_child_that_exits_ends_its_own_request_only(start: Start) -> None:
    process, other = start(), start()

    with pytest.raises(InternalError, match="process has ended"):
        tell(process, "exit")

    assert not process.is_usable
    assert tell(other, "hello") == ["done"]


def test_prediction_over_the_memory_limit_is_refused(start: Start) -> None:
    process = start()

    with pytest.raises(PayloadTooLarge, match="more memory"):
        tell(process, "grow 1000000000")

    assert tell(process, "hello") == ["done"]


def test_child_that_has_grown_takes_no_further_call(start: Start) -> None:
    process = start()

    assert tell(process, "grow 200000000") == ["200000000"]

    assert not process.is_usable


def test_closed_child_ends_and_removes_its_copy_of_the_files(
    start: Start, serving: Serving
) -> None:
    process = start()
    assert len(copies(serving)) == 1
    process.close()

    end = time.monotonic() + 10
    while copies(serving):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_copy_that_a_killed_child_left_is_removed_with_the_next_start(
    start: Start, serving: Serving
) -> None:
    first = start()
    left = copies(serving)
    first.kill()

    start()

    assert len(left) == 1
    assert not copies(serving) & left


def copies(serving: Serving) -> set[Path]:
    """Return the private copies of model directories that children load from."""
    return set(serving.cache_dir.glob("*/.part-*"))


def test_kernel_ends_a_child_before_its_worker_when_memory_ends(start: Start) -> None:
    assert tell(start(), "read /proc/self/oom_score_adj") == ["1000\n"]


def test_failing_model_is_the_requests_error(start: Start) -> None:
    with pytest.raises(PredictionFailed, match="The model failed on these rows"):
        tell(start(), "raise x")


@pytest.fixture
def tampered(serving: Serving, tmp_path: Path) -> Serving:
    """The same server with another cache, whose files somebody has changed."""
    shutil.copytree(serving.cache_dir, tmp_path / "cache")
    copy = serving.model_copy(update={"cache_dir": tmp_path / "cache"})
    with (ModelCache(copy.cache_dir, copy.verify_key, copy.key).path_for(VERSION) / "MLmodel").open(
        "a"
    ) as f:
        f.write("# and a line")
    return copy


def test_tampered_directory_is_not_loaded(tampered: Serving) -> None:
    with pytest.raises(InternalError, match="is not what training signed"):
        InferenceProcess(VERSION, tampered)


WORKER = """
import pickle, sys, time
from terna.errors import RequestError
from terna.serving.inference_pool.process import InferenceProcess
if __name__ == "__main__":
    version, serving, calls = pickle.load(sys.stdin.buffer)
    process = InferenceProcess(version, serving)
    print("started", flush=True)
    for call in calls:
        try:
            print(process.call(call, time.monotonic() + 60).body)
        except RequestError as error:
            print(error)
    print("waits", flush=True)
    time.sleep(60)
"""


@contextmanager
def worker(folder: Path, *job: object) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a worker with one child, which makes calls, and waits then."""
    (folder / "worker.py").write_text(WORKER)
    pipes: Any = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(folder / "worker.py")]
    with subprocess.Popen(command, env=environment, **pipes) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(pickle.dumps(job))
        process.stdin.close()
        assert process.stdout.readline() == b"started\n"
        yield process
        process.kill()


def test_children_end_with_their_worker(serving: Serving, tmp_path: Path) -> None:
    with worker(tmp_path, VERSION, serving, []) as process:
        children = psutil.Process(process.pid).children(recursive=True)

    _, alive = psutil.wait_procs(children, 10)
    assert len(children) >= 2
    assert alive == []


def test_of_what_a_model_says_only_kind_and_place_reach_the_log(
    serving: Serving, tmp_path: Path
) -> None:
    calls = [told(f"{action} {CUSTOMER}") for action in ("raise", "SystemExit", "print", "warn")]
    with worker(tmp_path, VERSION, serving, calls) as process:
        assert process.stdout
        assert process.stderr
        answers = b"".join(iter(process.stdout.readline, b"waits\n")).decode()
        process.kill()
        log = process.stderr.read().decode()

    assert CUSTOMER not in log + answers
    messages = [json.loads(line)["message"] for line in log.splitlines()]
    said = [message for message in messages if "misbehaving.py:" in message]
    assert [message.partition(" at ")[0] for message in said] == [
        "the model failed: ValueError",
        "the model failed: SystemExit",
        "the model warned: UserWarning",
    ]

"""`terna demo`, as the README has it: one command, and nothing left behind."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.only_on("local")


@contextmanager
def start(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start the demo, which ends with the test at the latest."""
    with subprocess.Popen(
        [sys.executable, "-m", "terna", "demo", "--trials", "3", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Return what is printed up to the line with this text; fails the test without one."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    pytest.fail(f"never said {text!r}: {''.join(lines)}")


def as_shells_tell(returncode: int) -> int:
    """Return the exit code that a shell gives; the one of a process that SIGINT ends is 130."""
    return 128 - returncode if returncode < 0 else returncode


def servers_in(folder: Path) -> Sequence[psutil.Process]:
    """Return the processes that work in the demo's folder."""
    everyone = psutil.process_iter(["cwd"])
    return [process for process in everyone if process.info["cwd"] == str(folder)]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the demo has run once, and kept its facts."""
    folder = tmp_path_factory.mktemp("checkout")
    with start(folder, "--erp", "--json", "out.json") as process:
        printed, _ = process.communicate()
    assert process.returncode == 0, printed
    (folder / "printed").write_text(printed)
    return folder


def test_demo_writes_its_facts_and_leaves_no_process(checkout: Path) -> None:
    facts = json.loads((checkout / "out.json").read_text())
    assert facts["holdout"]["f1"] > 0.8
    assert facts["model"]["version"] == 1
    assert len(facts["predictions"]) == 1667
    assert "published reference" in (checkout / "printed").read_text()
    assert not servers_in(checkout)


def test_erp_beside_it_has_the_label_of_each_customer(checkout: Path) -> None:
    labels = json.loads((checkout / "out.json").read_text())["predictions"]
    with closing(sqlite3.connect(checkout / ".terna/erp/rfc_tune/erp.sqlite")) as database:
        stored = database.execute("SELECT label FROM terna_customer_features ORDER BY party")
        assert [label for (label,) in stored] == labels
    assert "ERP         https://localhost:" in (checkout / "printed").read_text()


def test_second_demo_adds_a_version_and_the_printed_curl_line_works(checkout: Path) -> None:
    with start(checkout, "--keep") as process:
        printed = read_until(process, "Ctrl-C ends it")
        command = printed[printed.index("curl ") : printed.index("Everything stays up")]
        answer = subprocess.run(
            command, shell=True, cwd=checkout, capture_output=True, check=True, timeout=60
        )
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert "rfc_tune version 2" in printed
    assert json.loads(answer.stdout)["predictions"] in (["yes"], ["no"])
    assert not servers_in(checkout)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_demo_leaves_no_process(tmp_path: Path, ending: signal.Signals) -> None:
    with start(tmp_path) as process:
        read_until(process, "acquired")
        assert len(servers_in(tmp_path)) > 1
        process.send_signal(ending)
        said, _ = process.communicate(timeout=60)
    assert as_shells_tell(process.returncode) == 130, said
    assert not servers_in(tmp_path)


def test_taken_port_is_named_and_another_one_used(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        (tmp_path / ".env").write_text(f"TERNA_SERVING_PORT={taken}\n")
        with start(tmp_path) as process:
            printed = read_until(process, "acquired")
            process.send_signal(signal.SIGINT)
            process.wait(60)
    assert f"Port {taken} is taken: serving listens on" in printed

"""Any other ERP: what its programmers install, build and type, against running servers."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

import httpx
import mlflow.pyfunc
import pandas as pd
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from terna.erp.client import AsyncClient, Client, Predictions
from terna.erp.from_settings import connection_of
from terna.training.job import CHURN_FEATURES
from tests.checkout import ROOT
from tests.clients import client_of
from tests.e2e.customers import holdout_rows
from tests.e2e.stacks.local import LocalStack

pytestmark = pytest.mark.only_on("local")

EXAMPLES = ROOT / "examples"
SECONDS = 300


@pytest.fixture
def served(local_stack: LocalStack) -> LocalStack:
    """Serving answers for the model of the demo, which the examples are about."""
    local_stack.serve("rfc_tune")
    local_stack.ensure_serving(1)
    return local_stack


def run(
    command: Sequence[str | Path], folder: Path, served: LocalStack | None = None
) -> subprocess.CompletedProcess[str]:
    """Type a command; with the settings of an ERP where servers are given."""
    settings = served.settings.environment() if served else {}
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        | {name: value for name, value in settings.items() if name.startswith("TERNA_ERP_")},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# ---- Python -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def erp_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment in which the wheel was installed with its extra `erp` alone."""
    folder = tmp_path_factory.mktemp("erp")
    succeeded(run([sys.executable, "-m", "flit_core.wheel", "--outdir", folder], ROOT))
    (wheel,) = folder.glob("terna-*.whl")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv/bin/python"
    succeeded(run([python, "-m", "pip", "install", "--quiet", f"{wheel}[erp]"], folder))
    return python


def needs(package: str) -> Iterator[str]:
    """Yield a package, and all that it needs without extras."""
    yield canonicalize_name(package)
    for line in metadata.requires(package) or ():
        needed = Requirement(line)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            yield from needs(needed.name)


def test_extra_brings_httpx_and_nothing_else(erp_python: Path) -> None:
    told = succeeded(run([erp_python, "-m", "pip", "list", "--format=json"], erp_python.parent))
    installed = {canonicalize_name(each["name"]) for each in json.loads(told)}
    assert installed - {"pip", "setuptools"} == {"terna", *needs("httpx")}


def test_example_prints_labels_with_that_extra_alone(erp_python: Path, served: LocalStack) -> None:
    example, customers = EXAMPLES / "python/labels.py", EXAMPLES / "customers.json"
    printed = succeeded(run([erp_python, example, customers], erp_python.parent, served))
    with served.labels() as labels:
        (expected,) = labels.predict(json.loads(customers.read_text()), probabilities=True)
    assert expected.probability
    share = f"{expected.probability:.0%}"
    assert printed == f"{expected.label} ({share}) by rfc_tune version 1\n"


def test_both_clients_get_the_registered_models_own_labels_and_probabilities(
    served: LocalStack,
) -> None:
    customers, connection = holdout_rows(1200), connection_of(served.settings.erp)
    with Client(connection) as client:
        batches = list(client.predict_in_batches(customers, probabilities=True))

    async def ask() -> list[Predictions]:
        async with AsyncClient(connection) as client:
            asked = client.predict_in_batches(customers, probabilities=True)
            return [batch async for batch in asked]

    assert asyncio.run(ask()) == batches
    assert [len(batch) for batch in batches] == [500, 500, 200]
    mlflow.set_tracking_uri(served.settings.tracking.uri)
    served.registry()  # MLflow takes the CA from the environment, which this sets
    model = mlflow.pyfunc.load_model("models:/rfc_tune/1")
    frame = pd.DataFrame(customers, columns=list(CHURN_FEATURES)).infer_objects()
    assert [each.label for batch in batches for each in batch] == model.predict(frame).tolist()
    estimator = model.get_raw_model()
    rows = [row for batch in batches for row in batch.probabilities or ()]
    found = [[row[name] for name in estimator.classes_] for row in rows]
    assert found == estimator.predict_proba(frame).tolist()


# ---- TypeScript ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the example, with its packages, built."""
    if shutil.which("npm") is None:
        pytest.skip("Node.js is not installed: sudo apt install nodejs npm")
    folder = tmp_path_factory.mktemp("examples") / "typescript"
    leftovers = shutil.ignore_patterns("build", "node_modules")
    shutil.copytree(EXAMPLES / "typescript", folder, ignore=leftovers)
    succeeded(run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder))
    succeeded(run(["npm", "run", "build"], folder))
    return folder


def test_generating_the_types_again_gives_the_same(typescript: Path, served: LocalStack) -> None:
    erp = served.settings.erp
    with client_of(erp) as client:
        document = client.get(str(httpx.URL(erp.endpoint).join("/openapi.json")))
    (typescript / "openapi.json").write_bytes(document.content)
    succeeded(run(["npm", "run", "generate", "--", "openapi.json", "-o", "again.d.ts"], typescript))
    kept = (EXAMPLES / "typescript/src/serving.d.ts").read_text()
    assert (typescript / "again.d.ts").read_text() == kept


def test_typescript_client_prints_the_label(typescript: Path, served: LocalStack) -> None:
    customers = EXAMPLES / "customers.json"
    command = ["npm", "run", "--silent", "labels", "--", str(customers)]
    printed = json.loads(succeeded(run(command, typescript, served)))
    with served.labels() as labels:
        expected = labels.predict(json.loads(customers.read_text()))
    assert printed == {"labels": expected.labels, "model": "rfc_tune", "version": 1}


@pytest.mark.parametrize(
    ("customers", "says"), [("[{}]", "400: Missing columns: account_length"), ("[]", "400: ")]
)
def test_typescript_client_tells_in_one_line_why_it_was_refused(
    typescript: Path, served: LocalStack, customers: str, says: str
) -> None:
    (typescript / "wrong.json").write_text(customers)
    command = ["npm", "run", "--silent", "labels", "--", "wrong.json"]
    done = run(command, typescript, served)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(says)


def test_typescript_client_tells_in_one_line_which_file_is_missing(typescript: Path) -> None:
    done = run(["npm", "run", "--silent", "labels"], typescript)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "no such file or directory, open '../../certs/ca.crt'" in line


def test_lock_file_names_no_registry() -> None:
    locked = json.loads((EXAMPLES / "typescript/package-lock.json").read_text())["packages"]
    packages = {name: package for name, package in locked.items() if name}
    assert packages
    assert all("integrity" in package for package in packages.values())
    assert not any("resolved" in package for package in packages.values())
